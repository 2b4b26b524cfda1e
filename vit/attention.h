#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/block_config.h>
#include <vit/groups.h>
#include <vit/layers.h>
#include <vit/relative_bias.h>
#include <vit/rotary.h>

namespace vit {

struct AttentionResult {
  at::Tensor tokens;  ///< [B, N, D]
  at::Tensor metric;  ///< [B, N, d] mean of the keys over the heads; undefined unless asked for
  at::Tensor class_attention;  ///< [B, N] float32 attention from the first token, after softmax,
                               ///< mean over the heads; undefined unless asked for
};

/// What attention adds to its logits, and how it turns its queries and keys.
struct AttentionPositions {
  at::Tensor key_bias;       ///< [B, N] of each key, for all heads and queries; undefined for none
  at::Tensor relative_bias;  ///< [1 or B, heads, N, N] of query and key; undefined for none
  const RotaryAngles* rotary = nullptr;
};

/// Multi-head self-attention with one packed projection to q, k and v.
class AttentionImpl : public torch::nn::Module {
 public:
  /// For tokens of `dim` channels; `norm` is the kind that config.qk_norm and config.norm ask for.
  AttentionImpl(int64_t dim, const AttentionConfig& config, const NormConfig& norm);

  /// `x` [B, N, D]. `needs` asks for more than the tokens.
  AttentionResult forward(const at::Tensor& x, const AttentionPositions& positions,
                          const ReducerNeeds& needs) const;

  const Linear& qkv() const { return qkv_; }
  /// That of qkv(), where no gradient reaches the parts that AttentionConfig leaves out; undefined
  /// without any.
  at::Tensor qkv_bias() const;
  const Linear& proj() const { return proj_; }
  /// Null without qk_norm.
  const Norm& q_norm() const { return q_norm_; }
  const Norm& k_norm() const { return k_norm_; }
  /// Null without norm.
  const Norm& norm() const { return norm_; }
  /// What it has learned of rotary positions.
  const RotaryWeights& rotary_weights() const { return rotary_weights_; }
  /// Its own, empty where it has none or one that all blocks share.
  const RelativeBias& relative_bias() const { return relative_bias_; }

 private:
  AttentionConfig config_;
  Linear qkv_{nullptr};
  Norm q_norm_{nullptr};
  Norm k_norm_{nullptr};
  RotaryWeights rotary_weights_;
  RelativeBias relative_bias_;
  Norm norm_{nullptr};
  Linear proj_{nullptr};
};
TORCH_MODULE(Attention);

}  // namespace vit
