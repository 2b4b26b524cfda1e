#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tome::cpu {

/// `count` rows of `dim` numbers, every `step`-th one from `x` on, divided by their norm -> `out`
/// [count, dim]. Zero rows stay zero.
template <typename T>
void unit_rows(const T* x, int64_t step, int64_t count, int64_t dim, float* out) {
  for (int64_t i = 0; i < count; ++i, out += dim) {
    const T* from = x + i * step * dim;
    float squares = 0;
    for (int64_t c = 0; c < dim; ++c) {
      out[c] = static_cast<float>(from[c]);
      squares += out[c] * out[c];
    }
    const float scale = 1.0f / std::max(std::sqrt(squares), std::numeric_limits<float>::min());
    for (int64_t c = 0; c < dim; ++c) out[c] *= scale;
  }
}

/// a [na, dim] and b [nb, dim] -> a b^T [na, nb].
void products(const float* a, int64_t na, const float* b, int64_t nb, int64_t dim, float* out);

}  // namespace tome::cpu
