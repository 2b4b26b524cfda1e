#pragma once

#include <cstdint>
#include <string>

#include <c10/util/ArrayRef.h>

#include <base/text.h>

namespace vit {

using base::in_quotes;
using base::shortened;

/// "[2, 3]"
std::string shape_text(c10::ArrayRef<int64_t> shape);

}  // namespace vit
