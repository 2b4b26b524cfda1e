#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <vit/layers.h>

namespace vit {

LinearImpl::LinearImpl(int64_t in_features, int64_t out_features, bool with_bias)
    : weight(register_parameter("weight", torch::empty({out_features, in_features}))) {
  if (with_bias) bias = register_parameter("bias", torch::empty({out_features}));
}

at::Tensor LinearImpl::forward(const at::Tensor& x) const { return at::linear(x, weight, bias); }

NormImpl::NormImpl(int64_t dim, NormConfig config)
    : weight(register_parameter("weight", torch::empty({dim}))), config_(config) {
  if (config.kind == NormKind::layer_norm) bias = register_parameter("bias", torch::empty({dim}));
}

at::Tensor NormImpl::forward(const at::Tensor& x) const {
  switch (config_.kind) {
    case NormKind::layer_norm:
      return at::layer_norm(x, {weight.size(0)}, weight, bias, config_.eps);
    case NormKind::rms_norm:
      return at::rms_norm(x, {weight.size(0)}, weight, config_.eps);
  }
  TORCH_CHECK(false, "Norm: unknown kind ", static_cast<int>(config_.kind));
}

LayerScaleImpl::LayerScaleImpl(int64_t dim)
    : gamma(register_parameter("gamma", torch::empty({dim}))) {}

at::Tensor LayerScaleImpl::forward(const at::Tensor& x) const { return x * gamma; }

at::Tensor draw_path_factors(int64_t batch, double rate) {
  return at::empty({batch}, at::kFloat).bernoulli_(1.0 - rate).div_(1.0 - rate);
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::quick_gelu:
      return x * at::sigmoid(x * 1.702);
    case Activation::silu:
      return at::silu(x);
  }
  TORCH_CHECK(false, "activate: unknown activation ", static_cast<int>(activation));
}

at::Tensor add_residual(const at::Tensor& x, const at::Tensor& branch) {
  if (c10::GradMode::is_enabled() && (x.requires_grad() || branch.requires_grad()))
    return x + branch;
  at::Tensor sum = x;
  return sum.add_(branch);
}

}  // namespace vit
