#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/block_config.h>
#include <vit/groups.h>
#include <vit/layers.h>
#include <vit/rotary.h>

namespace vit {

struct AttentionResult {
  at::Tensor tokens;  ///< [B, N, D]
  at::Tensor metric;  ///< [B, N, d] mean of the keys over the heads; undefined unless asked for
  at::Tensor class_attention;  ///< [B, N] float32 attention from the first token, after softmax,
                               ///< mean over the heads; undefined unless asked for
};

/// Multi-head self-attention with one packed projection to q, k and v.
class AttentionImpl : public torch::nn::Module {
 public:
  /// For tokens of `dim` channels; `norm` is the kind that config.qk_norm asks for.
  AttentionImpl(int64_t dim, const AttentionConfig& config, const NormConfig& norm);

  /// `x` [B, N, D]. `key_bias` [B, N] is added to the attention logits of each key, for all heads
  /// and queries; undefined for none. `rotary` turns queries and keys; null for none. `needs` asks
  /// for more than the tokens.
  AttentionResult forward(const at::Tensor& x, const at::Tensor& key_bias,
                          const RotaryAngles* rotary, const ReducerNeeds& needs) const;

  const Linear& qkv() const { return qkv_; }
  const Linear& proj() const { return proj_; }
  /// Null without qk_norm.
  const Norm& q_norm() const { return q_norm_; }
  const Norm& k_norm() const { return k_norm_; }

 private:
  int64_t num_heads_;
  Linear qkv_{nullptr};
  Norm q_norm_{nullptr};
  Norm k_norm_{nullptr};
  Linear proj_{nullptr};
};
TORCH_MODULE(Attention);

}  // namespace vit
