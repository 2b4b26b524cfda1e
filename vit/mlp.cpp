#include <ATen/ATen.h>

#include <vit/mlp.h>

namespace vit {

MlpImpl::MlpImpl(const VitConfig& config) : kind_(config.mlp), activation_(config.activation) {
  const int64_t gates = kind_ == MlpKind::swiglu_packed ? 2 : 1;
  fc1_ = register_module("fc1", Linear(config.embed_dim, gates * config.mlp_hidden_dim));
  fc2_ = register_module("fc2", Linear(config.mlp_hidden_dim, config.embed_dim));
}

at::Tensor MlpImpl::forward(const at::Tensor& x) const {
  auto hidden = fc1_->forward(x);
  if (kind_ == MlpKind::swiglu_packed) {
    const auto halves = hidden.chunk(2, -1);
    hidden = at::silu(halves[0]) * halves[1];
  } else {
    hidden = activate(hidden, activation_);
  }
  return fc2_->forward(hidden);
}

}  // namespace vit
