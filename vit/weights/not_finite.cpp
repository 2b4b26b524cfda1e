#include <ATen/ATen.h>

#include <vit/weights/not_finite.h>

namespace vit {

namespace {

/// A tensor that isfinite() takes; undefined for types that hold no such numbers, or that LibTorch
/// cannot compute with.
at::Tensor numbers_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
    case at::kDouble:
    case at::kHalf:
    case at::kBFloat16:
      return tensor;
    case at::kFloat8_e5m2:
    case at::kFloat8_e4m3fn:
    case at::kFloat8_e5m2fnuz:
    case at::kFloat8_e4m3fnuz:
      return tensor.to(at::kFloat);
    case at::kComplexHalf:
    case at::kComplexFloat:
    case at::kComplexDouble:
      return at::view_as_real(tensor);
    default:
      return {};
  }
}

}  // namespace

bool is_finite(const at::Tensor& tensor) {
  const at::Tensor numbers = numbers_of(tensor);
  if (!numbers.defined()) return true;
  // What is not finite makes the sum so, and a sum takes no memory.
  const auto sum = numbers.sum(numbers.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  return sum.isfinite().item<bool>() || numbers.isfinite().all().item<bool>();
}

std::vector<std::string> not_finite(const StateDict& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights)
    if (!is_finite(tensor)) names.push_back(name);
  return names;
}

}  // namespace vit
