#pragma once

#include <cstdint>
#include <string>

#include <c10/util/ArrayRef.h>

namespace vit {

/// What an error message quotes of a name or value from a file, whose length nobody limits; control
/// characters become question marks.
std::string shortened(const std::string& text, size_t limit = 80);

/// The same in quotation marks.
std::string in_quotes(const std::string& text);

/// "[2, 3]"
std::string shape_text(c10::ArrayRef<int64_t> shape);

}  // namespace vit
