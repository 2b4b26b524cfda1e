#include "tests/support/compare.h"

#include <limits>

#include <ATen/ATen.h>

namespace test {

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0.0;
  auto difference = (a.to(at::kDouble) - b.to(at::kDouble)).abs();
  if (difference.isnan().any().item<bool>()) return std::numeric_limits<double>::infinity();
  return difference.max().item<double>();
}

bool same(const at::Tensor& a, const at::Tensor& b) { return max_difference(a, b) == 0.0; }

}  // namespace test
