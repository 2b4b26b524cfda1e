#include <vit/error.h>
#include <vit/kernels/kernel_block.h>

namespace vit::kernels {
namespace {

HiddenKind lower(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return HiddenKind::gelu;
    case Activation::gelu_tanh:
      return HiddenKind::gelu_tanh;
    case Activation::quick_gelu:
      return HiddenKind::quick_gelu;
    case Activation::silu:
      return HiddenKind::silu;
  }
  fail("kernels: unknown activation ", static_cast<int>(activation));
}

HiddenKind lower(MlpKind kind, Activation activation) {
  switch (kind) {
    case MlpKind::plain:
      return lower(activation);
    case MlpKind::swiglu_packed:
      return HiddenKind::swiglu;
  }
  fail("kernels: unknown kind of MLP ", static_cast<int>(kind));
}

bool knows(NormPlace place) {
  switch (place) {
    case NormPlace::pre:
      return true;
    case NormPlace::post:
    case NormPlace::res_post:
      return false;
  }
  return false;
}

/// Whether every pair of a head has an angle, or the heads have room for what has none.
bool knows(const RotaryConfig& config, const AttentionConfig& attention, int64_t head_dim) {
  const auto& [layout, coordinates, frequencies, axes, base, offset, reference_rows, reference_cols,
               columns_first, class_angles] = config;
  const bool is_learned = frequencies == RotaryFrequencies::learned;
  // Keys that heads of queries share have the angles of one head alone.
  if (is_learned && (axes != 2 || attention.kv_heads() != attention.num_heads)) return false;
  if ((axes == 3) != (layout == RotaryLayout::interleaved_tiled)) return false;
  return axes == 3 ? head_dim >= 6 && !class_angles : axes == 2 && head_dim % 4 == 0;
}

}  // namespace

std::optional<KernelBlock> lower(const BlockConfig& config) {
  // Scale and biases are read off the weights: a missing one does nothing.
  const auto& [dim, attention, mlp, norm, norm_place, layer_scale, mlp_layer_scale] = config;
  const auto& [num_heads, num_kv_heads, q_bias, k_bias, v_bias, qk_norm, attn_norm, proj_bias,
               rotary, relative_bias] = attention;
  const auto& [hidden_dim, mlp_kind, activation, mlp_norm, mlp_bias] = mlp;
  const auto& [norm_kind, norm_eps] = norm;
  if (!knows(norm_place)) return std::nullopt;
  if (rotary && !knows(*rotary, attention, config.head_dim())) return std::nullopt;
  if (dim / num_heads > kMaxHeadDim) return std::nullopt;
  return KernelBlock{.dim = dim,
                     .num_heads = num_heads,
                     .num_kv_heads = attention.kv_heads(),
                     .hidden_dim = hidden_dim,
                     .hidden = lower(mlp_kind, activation),
                     .norm_kind = norm_kind,
                     .norm_eps = static_cast<float>(norm_eps),
                     .qk_norm = qk_norm,
                     .attn_norm = attn_norm,
                     .mlp_norm = mlp_norm,
                     .rotary = rotary,
                     .relative_bias = relative_bias.has_value()};
}

}  // namespace vit::kernels
