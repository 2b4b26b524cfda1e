#include <cmath>

#include <vit/timm_arguments.h>

namespace vit {
namespace {

/// The ratio from which timm computes exactly these hidden channels.
double ratio_of(int64_t hidden, const TimmArguments& a, TimmMlp mlp, int64_t align_to) {
  const double rows = static_cast<double>(mlp == TimmMlp::glu ? 2 * hidden : hidden);
  double ratio = rows / static_cast<double>(a.embed_dim);
  while (mlp_hidden_dim(a.embed_dim, ratio, mlp, align_to) < hidden)
    ratio = std::nextafter(ratio, INFINITY);
  return ratio;
}

void set_attention(const VitConfig& c, TimmArguments& a) {
  const AttentionConfig& attention = c.block.attention;
  a.num_heads = attention.num_heads;
  a.num_kv_heads = c.kv_heads;
  if (a.num_kv_heads.empty() && attention.kv_heads() != attention.num_heads)
    a.num_kv_heads = {attention.kv_heads()};
  a.qkv_bias = attention.has_qkv_bias();
  a.qk_norm = attention.qk_norm;
  a.scale_attn_norm = attention.norm;
  a.proj_bias = attention.proj_bias;
  const bool has_types = a.timm_class == TimmClass::eva || a.timm_class == TimmClass::naflex;
  if (!a.num_kv_heads.empty()) {
    a.attn_type = TimmAttention::rope;
    a.qkv_fused = false;
  } else if (has_types && a.qkv_bias) {
    if (!attention.k_bias) a.attn_type = TimmAttention::eva;
    if (attention.k_bias && a.attn_type == TimmAttention::eva) a.attn_type = TimmAttention::rope;
  }
}

void set_mlp(const MlpConfig& mlp, TimmArguments& a) {
  const bool is_vit =
      a.timm_class == TimmClass::vision_transformer || a.timm_class == TimmClass::distilled;
  if (mlp.kind == MlpKind::plain) {
    a.mlp_layer = TimmMlp::plain;
    a.act_layer = mlp.activation;
  } else if (a.mlp_layer == TimmMlp::plain) {
    a.mlp_layer = is_vit ? TimmMlp::glu : TimmMlp::swiglu;
  }
  if (a.swiglu_align_to && (a.mlp_layer == TimmMlp::plain || mlp.hidden_dim % a.swiglu_align_to))
    a.swiglu_align_to = 0;
  a.mlp_ratio = ratio_of(mlp.hidden_dim, a, a.mlp_layer, a.swiglu_align_to);
  a.scale_mlp_norm = mlp.norm;
}

void set_head(const HeadConfig& head, int64_t hidden_dim, TimmArguments& a) {
  a.num_classes = head.num_classes;
  a.global_pool = head.pooling;
  a.fc_norm = head.norm_after;
  if (a.timm_class == TimmClass::eva)
    a.post_transformer_norm = head.norm_before;
  else
    a.final_norm = head.norm_before || head.norm_after;
  if (a.timm_class != TimmClass::eva) a.pool_include_prefix = head.pool_prefix;
  if (head.pooling != Pooling::map) return;
  a.attn_pool_num_heads = head.attention_pool.num_heads;
  const int64_t hidden =
      head.attention_pool.hidden_dim ? head.attention_pool.hidden_dim : hidden_dim;
  a.attn_pool_mlp_ratio.reset();
  if (hidden != mlp_hidden_dim(a.embed_dim, a.mlp_ratio, TimmMlp::plain))
    a.attn_pool_mlp_ratio = ratio_of(hidden, a, TimmMlp::plain, 0);
}

void set_rotary(const std::optional<RotaryConfig>& rotary, TimmArguments& a) {
  a.rope = rotary.has_value();
  if (!rotary) return;
  a.rope_type = rotary->frequencies == RotaryFrequencies::learned    ? TimmRope::mixed
                : rotary->coordinates == RotaryCoordinates::centered ? TimmRope::dinov3
                                                                     : TimmRope::cat;
  a.rope_temperature = rotary->base;
  a.rope_grid_offset = rotary->offset;
  a.rope_xy = rotary->columns_first || a.rope_type == TimmRope::mixed;
  a.rope_rotate_half = rotary->layout == RotaryLayout::half;
  a.ref_feat_shape = {rotary->reference_rows, rotary->reference_cols};
}

void set_relative_bias(const std::optional<RelativeBiasConfig>& bias, TimmArguments& a) {
  a.rel_pos = bias && !bias->shared;
  a.shared_rel_pos = bias && bias->shared;
  if (!bias) return;
  const bool is_mlp = bias->kind == RelativeBiasKind::log_mlp;
  a.rel_pos_type = is_mlp ? TimmRelPos::mlp : TimmRelPos::bias;
  a.rel_pos_dim = is_mlp ? bias->hidden_dim : 0;
}

void set_positions(const PositionsConfig& positions, TimmArguments& a) {
  a.pos_embed = positions.kind;
  a.no_embed_class = !positions.covers_prefix;
  if (a.timm_class != TimmClass::naflex) return;
  a.pos_embed_grid_size = positions.table;
  const Resampling how = positions.resampling;
  a.pos_embed_factorized = false;
  a.pos_embed_bilinear = how != Resampling::bicubic && how != Resampling::bicubic_antialias &&
                         how != Resampling::bicubic_antialias_window;
  a.pos_embed_ar_preserving = how == Resampling::bicubic_antialias_window ||
                              how == Resampling::bilinear_window ||
                              how == Resampling::bilinear_corners_window;
  a.pos_embed_antialias = how == Resampling::bicubic_antialias ||
                          how == Resampling::bilinear_antialias ||
                          how == Resampling::bicubic_antialias_window;
  a.pos_embed_align_corners = how == Resampling::bilinear_corners_window;
}

}  // namespace

TimmArguments timm_arguments(const VitConfig& c, const TimmArguments& like) {
  TimmArguments a = like;
  a.img_size = c.image_size();
  a.patch_size = c.patch.size();
  a.in_chans = c.input.channels;
  a.embed_dim = c.embed_dim();
  a.depth = c.depth;
  a.class_token = c.prefix.cls_tokens > 0;
  a.reg_tokens = c.prefix.reg_tokens;
  a.pre_norm = c.pre_norm;
  a.embed_norm = c.patch.norm;
  a.norm_layer = c.block.norm;
  a.norm_place = c.block.norm_place;
  // Behind a branch there is no scale: what init_values says is in its norm.
  if (a.norm_place == NormPlace::pre) a.layer_scale = c.block.layer_scale;
  a.attn_only_layer_scale = c.block.layer_scale && !c.block.mlp_layer_scale;
  set_attention(c, a);
  set_mlp(c.block.mlp, a);
  set_head(c.head, c.block.mlp.hidden_dim, a);
  set_rotary(c.block.attention.rotary, a);
  set_relative_bias(c.block.attention.relative_bias, a);
  set_positions(c.positions, a);
  return a;
}

}  // namespace vit
