#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tome {

/// The value of a layer, of a list that has one for each of the first layers and its last one for
/// all that follow. `values` is not empty.
template <typename T>
T value_of(const std::vector<T>& values, int64_t layer) {
  return values[std::min(static_cast<std::size_t>(layer), values.size() - 1)];
}

}  // namespace tome
