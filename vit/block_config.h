#pragma once

#include <cstdint>
#include <optional>

#include <vit/relative_bias_config.h>
#include <vit/rotary_config.h>

namespace vit {

enum class Activation { gelu, gelu_tanh, quick_gelu, silu };

enum class MlpKind {
  plain,          ///< fc2(act(fc1(x)))
  swiglu_packed,  ///< fc2(silu(g) * v) with g, v the halves of fc1(x); files may have them apart
};

enum class NormKind {
  layer_norm,  ///< (x - mean) / std * weight + bias
  rms_norm,    ///< x / root mean square * weight (arXiv 1910.07467)
};

struct NormConfig {
  NormKind kind = NormKind::layer_norm;
  double eps = 1e-6;

  bool operator==(const NormConfig&) const = default;
};

/// Where the norms of a block stand. f is a branch: attention or MLP.
enum class NormPlace {
  pre,       ///< x + f(norm(x))
  post,      ///< norm(x + f(x)) (arXiv 1706.03762)
  res_post,  ///< x + norm(f(x)) (arXiv 2111.09883)
};

/// Multi-head self-attention.
struct AttentionConfig {
  int64_t num_heads = 12;  ///< divides the block's dim
  /// Heads of keys and values, each for as many heads of queries, one after the other (arXiv
  /// 2305.13245). They divide num_heads; 0: there are as many.
  int64_t num_kv_heads = 0;
  // One that is missing while others are there is a part of zeros in the packed bias.
  bool q_bias = true;
  bool k_bias = true;
  bool v_bias = true;
  bool qk_norm = false;  ///< the block's kind of norm on q and k of every head
  bool norm = false;     ///< the block's kind of norm on what the heads give, before proj
  bool proj_bias = true;
  std::optional<RotaryConfig> rotary = std::nullopt;  ///< beside whatever positions tokens carry
  std::optional<RelativeBiasConfig> relative_bias = std::nullopt;

  int64_t kv_heads() const { return num_kv_heads ? num_kv_heads : num_heads; }
  bool has_qkv_bias() const { return q_bias || k_bias || v_bias; }
  void set_qkv_bias(bool bias) { q_bias = k_bias = v_bias = bias; }
  bool operator==(const AttentionConfig&) const = default;
};

/// The feed-forward half of a block.
struct MlpConfig {
  int64_t hidden_dim = 3072;  ///< columns of fc2
  MlpKind kind = MlpKind::plain;
  Activation activation = Activation::gelu;  ///< of a plain one
  bool norm = false;                         ///< the block's kind of norm before fc2
  bool bias = true;                          ///< of fc1 and fc2

  /// Rows of fc1 for each column of fc2.
  int64_t gates() const;
  bool operator==(const MlpConfig&) const = default;
};

/// One block of an encoder. All that its parts and the fused kernels know of a model.
struct BlockConfig {
  int64_t dim = 768;  ///< channels of a token
  AttentionConfig attention;
  MlpConfig mlp;
  NormConfig norm;
  NormPlace norm_place = NormPlace::pre;
  bool layer_scale = false;     ///< learned per-channel scale on the branches
  bool mlp_layer_scale = true;  ///< false: on that of the attention alone

  int64_t head_dim() const { return dim / attention.num_heads; }
  /// Throws Error where the fields contradict each other or cannot be right, naming the field.
  void validate() const;
  bool operator==(const BlockConfig&) const = default;
};

}  // namespace vit
