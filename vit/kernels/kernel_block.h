#pragma once

#include <cstdint>
#include <optional>

#include <vit/block_config.h>

namespace vit::kernels {

/// Channels of a head that the kernels have room for.
constexpr int64_t kMaxHeadDim = 256;

/// What fc1's outputs become.
enum class HiddenKind { gelu, gelu_tanh, quick_gelu, silu, swiglu };

/// A block as the fused engines compute it: pre-norm, biased or unbiased linear layers, softmax
/// attention of every token to every token.
struct KernelBlock {
  int64_t dim;  ///< channels of a token
  int64_t num_heads;
  int64_t num_kv_heads;  ///< of keys and values, where the block's weights do not say otherwise
  int64_t hidden_dim;    ///< columns of fc2
  HiddenKind hidden;
  NormKind norm_kind;  ///< of all norms
  float norm_eps;
  bool qk_norm;    ///< norm on q and k of every head
  bool attn_norm;  ///< norm on what the heads give, before proj
  bool mlp_norm;   ///< norm before fc2
  std::optional<RotaryConfig> rotary;
  bool relative_bias;  ///< of pairs of tokens, added to the logits

  int64_t head_dim() const { return dim / num_heads; }
  bool gated() const { return hidden == HiddenKind::swiglu; }
  /// Groups of columns of fc1: gates and values, or the values alone.
  int64_t fc1_groups() const { return gated() ? 2 : 1; }
};

/// A block as the fused engines compute it; nothing if they do not know one of its fields at its
/// value, and the block runs on LibTorch's operators. Looks at every field: a new one does not
/// compile until somebody has decided here what the kernels make of it.
std::optional<KernelBlock> lower(const BlockConfig& config);

}  // namespace vit::kernels
