#pragma once

#include <optional>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/attention.h>
#include <vit/block_config.h>
#include <vit/layers.h>
#include <vit/mlp.h>
#include <vit/token_reducer.h>

namespace vit {

namespace kernels {
struct BlockWeights;
}

/// A transformer block: attention, then the token reducer, then the MLP. Where its config has
/// relative position biases, or a reducer averages rotary angles, TokenState::source must be there
/// as soon as tokens are merged; with rotary positions TokenState::positions, too.
class BlockImpl : public torch::nn::Module {
 public:
  explicit BlockImpl(const BlockConfig& config);

  /// Replaces the tokens of `state`; `reducer` may be null.
  void forward(TokenState& state, const TokenReducer* reducer) const;

  /// Range of the samples, from 0 on and below 1, whose branches are left out in training mode.
  void set_drop_path(double rate) { drop_path_ = rate; }
  /// Whether forward() leaves out branches at random.
  bool drops_paths() const { return is_training() && drop_path_ > 0; }

  /// The relative position bias of a model whose blocks share one.
  void set_shared_bias(const RelativeBias& bias) { shared_bias_ = bias; }
  /// For another grid of patches: of the relative position bias alone, whose table is the caller's
  /// to change.
  void set_bias_grid(Size2d grid) { config_.attention.relative_bias->grid = grid; }

  const BlockConfig& config() const { return config_; }
  /// The parameters, for the fused engines. `shared_bias` is what another block's weights() gave as
  /// the relative bias that both share; undefined: it is computed.
  kernels::BlockWeights weights(const at::Tensor& shared_bias = {}) const;

 private:
  struct Fused;
  /// Adds the attention branch to the tokens; returns what `needs` asks for beside it.
  AttentionResult attend(TokenState& state, const Fused* fused, const TokenReducer* reducer,
                         const at::Tensor& key_bias, const ReducerNeeds& needs) const;
  /// Of tokens that are not merged, [heads, N0, N0]; undefined without one.
  at::Tensor relative_bias() const;
  /// By how much the tokens of `state` are rotated; nothing without rotary positions.
  std::optional<RotaryAngles> rotary_angles(const TokenState& state,
                                            const TokenReducer* reducer) const;
  /// Adds the MLP branch to the tokens.
  void mix(TokenState& state, const Fused* fused) const;
  /// x and the branch f(x) together, with the norm where it stands, layer scale and stochastic
  /// depth.
  template <typename F>
  at::Tensor with_branch(const at::Tensor& x, const Norm& norm, const LayerScale& scale,
                         const F& branch) const;
  /// Undefined where all samples take all branches.
  at::Tensor path_factors(const at::Tensor& tokens) const;

  BlockConfig config_;
  double drop_path_ = 0;
  RelativeBias shared_bias_;
  Norm norm1_{nullptr};
  Attention attn_{nullptr};
  LayerScale ls1_{nullptr};
  Norm norm2_{nullptr};
  Mlp mlp_{nullptr};
  LayerScale ls2_{nullptr};
};
TORCH_MODULE(Block);

}  // namespace vit
