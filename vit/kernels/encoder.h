#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/block_weights.h>
#include <vit/kernels/kernel_block.h>
#include <vit/kernels/metric_linear.h>
#include <vit/kernels/packed_linear.h>
#include <vit/kernels/packed_norm.h>
#include <vit/kernels/rotary_tables.h>
#include <vit/kernels/workspace.h>
#include <vit/token_reducer.h>

namespace vit::kernels {

/// One block's weights as the fused encoder reads them: vectors in float32, padded to a multiple of
/// simd::kPad.
struct EncoderLayer {
  PackedNorm norm1, norm2;
  PackedNorm q_norm, k_norm;  ///< undefined without qk_norm
  PackedNorm attn_norm;       ///< before proj, undefined without
  PackedNorm mlp_norm;        ///< before fc2, undefined without
  at::Tensor gamma1, gamma2;  ///< undefined without layer scale
  PackedLinear qkv, proj, fc1, fc2;
  int64_t kv_heads = 0;      ///< heads of keys and values
  RotaryFrequencies rotary;  ///< undefined without rotary positions
  at::Tensor relative_bias;  ///< [heads, N0, padded] in units of log2; undefined without
  /// Empty with qk_norm, where the mean of the keys is no linear function.
  std::optional<MetricLinear> metric;
};

/// All blocks of a model as one CPU kernel: packed weights, biases, activations, residuals, norms
/// and merging fused into the matrix products, activations in reused memory. Every thread works on
/// samples of its own where there are enough, on rows and heads of the same ones otherwise.
///
/// Tokens between the layers stay in float32 whatever the weights are.
class Encoder {
 public:
  /// Whether this machine and build compute in that arithmetic.
  static bool supports(Math math);

  /// Packs the weights of blocks of one kind, which it does not refer to afterwards, several blocks
  /// at a time; with `free_weights` it empties those of the linear layers one by one, where nobody
  /// but their module has them.
  Encoder(const KernelBlock& block, std::span<const BlockWeights> weights, Math math,
          bool free_weights);

  /// Packs others of the same shapes in their place, in the memory that these have.
  void repack(std::span<const BlockWeights> weights) { pack(weights, /*free_weights=*/false); }

  /// Replaces `state.tokens` [B, N, D] (float32 or bfloat16, CPU) by what leaves the last block,
  /// everything else in `state` along with them. `reducer` may be null, otherwise it decides per
  /// sample.
  void forward(TokenState& state, const TokenReducer* reducer) const;

  const KernelBlock& block() const { return block_; }
  Math math() const { return math_; }
  const EncoderLayer& layer(int64_t index) const { return layers_[index]; }
  int64_t depth() const { return static_cast<int64_t>(layers_.size()); }

 private:
  void check_positions(const TokenState& state) const;
  void pack(std::span<const BlockWeights> weights, bool free_weights);

  KernelBlock block_;
  Math math_;
  std::vector<EncoderLayer> layers_;
  mutable WorkspacePool workspaces_;
};

}  // namespace vit::kernels
