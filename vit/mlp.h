#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/block_config.h>
#include <vit/layers.h>

namespace vit {

/// The feed-forward half of a block: fc2(act(fc1(x))), or its gated form (SwiGLU, arXiv
/// 2002.05202) with gate and value packed in fc1; perhaps with a norm before fc2.
class MlpImpl : public torch::nn::Module {
 public:
  /// For tokens of `dim` channels; `norm` is the kind that config.norm asks for.
  MlpImpl(int64_t dim, const MlpConfig& config, const NormConfig& norm);
  at::Tensor forward(const at::Tensor& x) const;

  const Linear& fc1() const { return fc1_; }
  const Linear& fc2() const { return fc2_; }
  /// Null without MlpConfig::norm.
  const Norm& norm() const { return norm_; }

 private:
  at::Tensor hidden(const at::Tensor& x) const;

  MlpConfig config_;
  Linear fc1_{nullptr};
  Norm norm_{nullptr};
  Linear fc2_{nullptr};
};
TORCH_MODULE(Mlp);

}  // namespace vit
