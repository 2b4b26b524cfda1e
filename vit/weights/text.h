#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <c10/util/ArrayRef.h>

#include <base/text.h>

namespace vit {

using base::in_quotes;
using base::shortened;

/// "[2, 3]"
std::string shape_text(c10::ArrayRef<int64_t> shape);

/// Whether these bytes are UTF-8, without surrogates and overlong forms.
bool is_utf8(std::string_view text);

}  // namespace vit
