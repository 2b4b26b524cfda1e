#pragma once

#include <cstdint>

namespace vit::kernels {

/// Asks for rows of `cols` numbers, `ld` apart, to come to the second-level cache: those that a
/// tile will be written or added to, while the product that makes it runs.
template <typename T>
void prefetch_rows(T* to, int64_t ld, int64_t rows, int64_t cols) {
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(T));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; c += kLine)
      __builtin_prefetch(to + r * ld + c, /*rw=*/1, /*locality=*/2);
}

}  // namespace vit::kernels
