#include <algorithm>
#include <bit>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <vit/kernels/float_data.h>
#include <vit/training/branch_tensors.h>

namespace vit::training {

using kernels::float_data;

BranchTensors::BranchTensors(variable_list list, std::size_t count) : list_(std::move(list)) {
  list_.resize(count);
  for (auto& tensor : list_)
    if (tensor.defined()) tensor = tensor.contiguous();
  if (!list_[kFirstBias].defined()) zeros_ = at::zeros({list_[kFirstWeight].size(0)}, at::kFloat);
}

BranchTensors::BranchTensors(const variable_list& saved, int64_t mask, std::size_t count)
    : BranchTensors(
          [&] {
            variable_list list(count);
            std::size_t next = 0;
            for (std::size_t i = 0; i < count; ++i)
              if (mask >> i & 1) list[i] = saved[next++];
            return list;
          }(),
          count) {}

variable_list BranchTensors::saved() const {
  variable_list defined;
  for (const auto& tensor : list_)
    if (tensor.defined()) defined.push_back(tensor);
  return defined;
}

int64_t BranchTensors::mask() const {
  int64_t mask = 0;
  for (std::size_t i = 0; i < list_.size(); ++i) mask |= int64_t{list_[i].defined()} << i;
  return mask;
}

bool BranchTensors::needs_gradient(const AutogradContext& context, std::size_t argument) const {
  if (!list_[argument].defined()) return false;
  const auto before = static_cast<uint64_t>(mask()) & ((uint64_t{1} << argument) - 1);
  return context.needs_input_grad(static_cast<std::size_t>(std::popcount(before)));
}

NormData BranchTensors::norm(NormKind kind, double eps, std::size_t weight) const {
  return {kind, static_cast<float>(eps), float_data(list_[weight]), float_data(list_[weight + 1])};
}

BranchData BranchTensors::branch(NormKind kind, double eps) const {
  const at::Tensor& x = list_[kX];
  return {float_data(x),
          x.size(0),
          x.size(1),
          x.size(2),
          norm(kind, eps, kNormWeight),
          float_data(list_[kGamma]),
          float_data(list_[kPathFactors])};
}

const float* BranchTensors::bias(std::size_t argument) const {
  return float_data(list_[argument].defined() ? list_[argument] : zeros_);
}

bool BranchTensors::needs_last(const AutogradContext& context) const {
  return needs_gradient(context, kLastWeight) || needs_gradient(context, kGamma);
}

variable_list BranchTensors::in_order(const BranchGradients& of, std::size_t others) const {
  const auto last = scaled_layer_gradients(list_[kLastWeight], list_[kLastBias], list_[kGamma],
                                           of.last_weight, of.last_bias);
  variable_list by_argument(list_.size());
  const auto put = [&](std::size_t weight, const NormGradients& norm) {
    by_argument[weight] = norm.weight;
    by_argument[weight + 1] = norm.bias;
  };
  by_argument[kX] = of.x;
  put(kNormWeight, of.norm);
  by_argument[kFirstWeight] = of.first_weight;
  by_argument[kFirstBias] = of.first_bias;
  put(kInnerNormWeight, of.inner_norm);
  by_argument[kLastWeight] = last.weight;
  by_argument[kLastBias] = last.bias;
  by_argument[kGamma] = last.gamma;
  if (list_.size() > kBranchArguments) {
    put(kQNormWeight, of.q_norm);
    put(kKNormWeight, of.k_norm);
  }
  variable_list result;
  for (std::size_t i = 0; i < list_.size(); ++i)
    if (list_[i].defined()) result.push_back(by_argument[i]);
  result.resize(result.size() + others);
  return result;
}

void check_first_derivative() {
  TORCH_CHECK(!c10::GradMode::is_enabled(),
              "vit: the fused kernels have no second derivatives; set VITOME_KERNELS=reference in "
              "the environment to compute them");
}

}  // namespace vit::training
