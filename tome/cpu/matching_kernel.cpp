#include <algorithm>
#include <numeric>
#include <vector>

#include <tome/kernels.h>

namespace tome::cpu {

void select_pairs(const float* scores, int64_t a, int64_t b, int64_t r, bool by_score,
                  int64_t* merged, int64_t* partner, int64_t* unmerged) {
  std::vector<float> best(a);
  std::vector<int64_t> best_column(a), order(a);
  for (int64_t row = 0; row < a; ++row) {
    const float* line = scores + row * b;
    const float* top = std::max_element(line, line + b);
    best[row] = *top;
    best_column[row] = top - line;
  }
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](int64_t i, int64_t j) {
    return best[i] != best[j] ? best[i] > best[j] : i < j;
  };
  if (by_score) {
    std::sort(order.begin(), order.end(), before);
  } else {
    // Only which rows are the r best matters, not their order among each other.
    std::nth_element(order.begin(), order.begin() + r, order.end(), before);
    std::sort(order.begin() + r, order.end());
  }
  std::sort(order.begin(), order.begin() + r);
  for (int64_t i = 0; i < r; ++i) {
    merged[i] = order[i];
    partner[i] = best_column[order[i]];
  }
  std::copy(order.begin() + r, order.end(), unmerged);
}

}  // namespace tome::cpu
