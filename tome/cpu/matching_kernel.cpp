#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <c10/util/BFloat16.h>

#include <tome/kernels.h>

namespace tome::cpu {
namespace {

/// Every second row of `metric` from `first` on, divided by its norm -> [count, dim].
template <typename T>
void unit_rows(const T* metric, int64_t first, int64_t count, int64_t dim,
               std::vector<float>& rows) {
  rows.resize(count * dim);
  float* to = rows.data();
  for (int64_t i = 0; i < count; ++i, to += dim) {
    const T* from = metric + (first + 2 * i) * dim;
    float squares = 0;
    for (int64_t c = 0; c < dim; ++c) {
      to[c] = static_cast<float>(from[c]);
      squares += to[c] * to[c];
    }
    const float scale = 1.0f / std::max(std::sqrt(squares), std::numeric_limits<float>::min());
    for (int64_t c = 0; c < dim; ++c) to[c] *= scale;
  }
}

/// a [na, dim] and b [nb, dim] -> a b^T [na, nb].
void products(std::vector<float>& a, int64_t na, std::vector<float>& b, int64_t nb, int64_t dim,
              std::vector<float>& out) {
  out.resize(na * nb);
  auto result = at::from_blob(out.data(), {na, nb});
  at::mm_out(result, at::from_blob(a.data(), {na, dim}), at::from_blob(b.data(), {nb, dim}).t());
}

/// A thread's memory, kept from layer to layer.
struct Scratch {
  std::vector<float> a, b, scores, best;
  std::vector<int64_t> partner, order;
};

}  // namespace

template <typename T>
void match(const T* metric, int64_t tokens, int64_t dim, int64_t r, int64_t prefix_tokens,
           int64_t* keep, int64_t* removed, int64_t* into) {
  thread_local Scratch scratch;
  auto& [a, b, scores, best, partner, order] = scratch;
  // Only patch tokens take part: the first A and B rows after the prefix.
  const int64_t a_prefix = (prefix_tokens + 1) / 2, b_prefix = prefix_tokens / 2;
  const int64_t na = (tokens + 1) / 2 - a_prefix, nb = tokens / 2 - b_prefix;
  unit_rows(metric, 2 * a_prefix, na, dim, a);
  unit_rows(metric, 2 * b_prefix + 1, nb, dim, b);
  products(a, na, b, nb, dim, scores);
  best.resize(na);
  partner.resize(na);
  order.resize(na);
  for (int64_t i = 0; i < na; ++i) {
    const float* row = scores.data() + i * nb;
    partner[i] = std::max_element(row, row + nb) - row;
    // NaN has no place in an order, and sorting needs one.
    best[i] =
        std::isnan(row[partner[i]]) ? -std::numeric_limits<float>::infinity() : row[partner[i]];
  }

  std::iota(order.begin(), order.end(), 0);
  const auto before = [best = best.data()](int64_t i, int64_t j) {
    return best[i] != best[j] ? best[i] > best[j] : i < j;
  };
  if (prefix_tokens == 0) {
    std::sort(order.begin(), order.end(), before);
  } else {
    // Only which rows are the r best matters, not their order among each other.
    std::nth_element(order.begin(), order.begin() + r, order.end(), before);
    std::sort(order.begin() + r, order.end());
  }
  std::sort(order.begin(), order.begin() + r);

  const int64_t first_b_row = prefix_tokens + na - r;
  for (int64_t i = 0; i < r; ++i) {
    removed[i] = 2 * (order[i] + a_prefix);
    into[i] = first_b_row + partner[order[i]];
  }
  for (int64_t i = 0; i < prefix_tokens; ++i) *keep++ = i;
  for (int64_t i = r; i < na; ++i) *keep++ = 2 * (order[i] + a_prefix);
  for (int64_t i = 0; i < nb; ++i) *keep++ = 2 * (i + b_prefix) + 1;
}

template void match<float>(const float*, int64_t, int64_t, int64_t, int64_t, int64_t*, int64_t*,
                           int64_t*);
template void match<c10::BFloat16>(const c10::BFloat16*, int64_t, int64_t, int64_t, int64_t,
                                   int64_t*, int64_t*, int64_t*);

}  // namespace tome::cpu
