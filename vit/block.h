#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/attention.h>
#include <vit/config.h>
#include <vit/layers.h>
#include <vit/mlp.h>
#include <vit/token_reducer.h>

namespace vit {

/// A pre-norm transformer block: attention, then the token reducer, then the MLP.
class BlockImpl : public torch::nn::Module {
 public:
  explicit BlockImpl(const VitConfig& config);

  /// Replaces the tokens of `state`; `reducer` may be null.
  void forward(TokenState& state, const TokenReducer* reducer) const;

 private:
  LayerNorm norm1_{nullptr};
  Attention attn_{nullptr};
  LayerScale ls1_{nullptr};
  LayerNorm norm2_{nullptr};
  Mlp mlp_{nullptr};
  LayerScale ls2_{nullptr};
};
TORCH_MODULE(Block);

}  // namespace vit
