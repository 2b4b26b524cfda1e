#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/config.h>
#include <vit/layers.h>

namespace vit {

/// The feed-forward half of a block: fc2(act(fc1(x))), or its gated form (SwiGLU, arXiv
/// 2002.05202) with gate and value packed in fc1.
class MlpImpl : public torch::nn::Module {
 public:
  explicit MlpImpl(const VitConfig& config);
  at::Tensor forward(const at::Tensor& x) const;

  const Linear& fc1() const { return fc1_; }
  const Linear& fc2() const { return fc2_; }

 private:
  MlpKind kind_;
  Activation activation_;
  Linear fc1_{nullptr};
  Linear fc2_{nullptr};
};
TORCH_MODULE(Mlp);

}  // namespace vit
