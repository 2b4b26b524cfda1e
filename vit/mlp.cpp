#include <ATen/ATen.h>

#include <vit/mlp.h>

namespace vit {

MlpImpl::MlpImpl(int64_t dim, const MlpConfig& config, const NormConfig& norm) : config_(config) {
  fc1_ = register_module("fc1", Linear(dim, config.gates() * config.hidden_dim, config.bias));
  if (config.norm) norm_ = register_module("norm", Norm(config.hidden_dim, norm));
  fc2_ = register_module("fc2", Linear(config.hidden_dim, dim, config.bias));
}

at::Tensor MlpImpl::hidden(const at::Tensor& x) const {
  switch (config_.kind) {
    case MlpKind::plain:
      return activate(x, config_.activation);
    case MlpKind::swiglu_packed: {
      const auto halves = x.chunk(2, -1);
      return at::silu(halves[0]) * halves[1];
    }
  }
  TORCH_CHECK(false, "Mlp: unknown kind ", static_cast<int>(config_.kind));
}

at::Tensor MlpImpl::forward(const at::Tensor& x) const {
  const auto between = hidden(fc1_->forward(x));
  return fc2_->forward(norm_ ? norm_->forward(between) : between);
}

}  // namespace vit
