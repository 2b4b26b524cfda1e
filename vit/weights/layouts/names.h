#pragma once

#include <cstddef>
#include <utility>

namespace vit {

/// A value of an enumeration under its name in a document; what has several names has them in the
/// order of preference.
template <typename T>
using Names = std::pair<const char*, T>;

/// The first name of a value; `otherwise` if it has none.
template <typename T, std::size_t N>
const char* name_of(const Names<T> (&names)[N], T value, const char* otherwise = nullptr) {
  for (const auto& [name, of] : names)
    if (of == value) return name;
  return otherwise;
}

}  // namespace vit
