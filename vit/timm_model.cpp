#include <algorithm>
#include <functional>

#include <vit/timm_arguments.h>

namespace vit {
namespace {

bool is_vit(TimmClass c) { return c == TimmClass::vision_transformer || c == TimmClass::distilled; }

/// Whether a class of timm norms what such a pooling gives, not the tokens, unless told otherwise.
bool norms_pooled(const TimmArguments& a) {
  const bool all = is_vit(a.timm_class);
  switch (a.global_pool) {
    case Pooling::avg:
      return a.timm_class != TimmClass::relpos;
    case Pooling::max:
    case Pooling::avg_max:
      return all;
    default:
      return false;
  }
}

RotaryConfig rotary(const TimmArguments& a) {
  RotaryConfig rotary;
  rotary.layout = a.rope_rotate_half ? RotaryLayout::half : RotaryLayout::interleaved;
  rotary.base = a.rope_temperature;
  rotary.columns_first = a.rope_xy;
  switch (a.rope_type) {
    case TimmRope::cat:
      rotary.offset = a.rope_grid_offset;
      rotary.reference_rows = a.ref_feat_shape.height;
      rotary.reference_cols = a.ref_feat_shape.width;
      break;
    case TimmRope::mixed:
      rotary.frequencies = RotaryFrequencies::learned;
      rotary.columns_first = false;  // it says nothing here
      break;
    case TimmRope::dinov3:
      rotary.coordinates = RotaryCoordinates::centered;
      break;
  }
  return rotary;
}

/// Patches along the sides; nothing where a side of a patch is 0, which VitConfig::validate()
/// tells.
Size2d grid_of(const TimmArguments& a) {
  if (a.patch_size.height <= 0 || a.patch_size.width <= 0) return {};
  return {a.img_size.height / a.patch_size.height, a.img_size.width / a.patch_size.width};
}

RelativeBiasConfig relative_bias(const TimmArguments& a) {
  RelativeBiasConfig bias;
  bias.grid = grid_of(a);
  bias.prefix_tokens = a.class_token;
  bias.shared = a.shared_rel_pos;
  if (a.timm_class == TimmClass::relpos && a.rel_pos_type == TimmRelPos::mlp) {
    constexpr int64_t kUsualHidden = 128;
    bias.kind = RelativeBiasKind::log_mlp;
    bias.hidden_dim = a.rel_pos_dim ? a.rel_pos_dim : kUsualHidden;
  }
  return bias;
}

/// That of NaFlexVit's blocks depends on what else they have.
TimmAttention attention_type(const TimmArguments& a) {
  if (a.timm_class != TimmClass::naflex || a.attn_type != TimmAttention::standard)
    return a.attn_type;
  if (a.rope) return TimmAttention::rope;
  const bool evas =
      a.mlp_layer != TimmMlp::plain || a.attn_only_layer_scale || !a.num_kv_heads.empty();
  return evas ? TimmAttention::eva : TimmAttention::standard;
}

AttentionConfig attention(const TimmArguments& a) {
  AttentionConfig attention;
  attention.num_heads = a.num_heads;
  attention.set_qkv_bias(a.qkv_bias);
  if (attention_type(a) == TimmAttention::eva) attention.k_bias = false;
  attention.qk_norm = a.qk_norm;
  attention.norm = a.scale_attn_norm;
  attention.proj_bias = a.proj_bias;
  if (a.rope) attention.rotary = rotary(a);
  if (a.rel_pos || a.shared_rel_pos) attention.relative_bias = relative_bias(a);
  return attention;
}

MlpConfig mlp(const TimmArguments& a) {
  MlpConfig mlp;
  mlp.kind = a.mlp_layer == TimmMlp::plain ? MlpKind::plain : MlpKind::swiglu_packed;
  mlp.hidden_dim = mlp_hidden_dim(a.embed_dim, a.mlp_ratio, a.mlp_layer, a.swiglu_align_to);
  if (mlp.kind == MlpKind::plain) mlp.activation = a.act_layer;
  mlp.norm = a.scale_mlp_norm;
  mlp.bias = a.proj_bias;
  return mlp;
}

PositionsConfig positions(const TimmArguments& a) {
  PositionsConfig positions;
  positions.kind = a.pos_embed;
  positions.covers_prefix = !a.no_embed_class;
  if (a.timm_class != TimmClass::naflex) return positions;
  positions.covers_prefix = false;
  if (a.pos_embed != PositionKind::learned) return positions;
  const bool given = a.pos_embed_grid_size.height || a.pos_embed_grid_size.width;
  positions.table = given ? a.pos_embed_grid_size : grid_of(a);
  // A vector for each row and one for each column are a table of their sums, resized linearly.
  if (a.pos_embed_factorized)
    positions.resampling = Resampling::bilinear_window;
  else if (a.pos_embed_ar_preserving)
    positions.resampling = !a.pos_embed_bilinear       ? Resampling::bicubic_antialias_window
                           : a.pos_embed_align_corners ? Resampling::bilinear_corners_window
                                                       : Resampling::bilinear_window;
  else if (a.pos_embed_bilinear)
    positions.resampling = Resampling::bilinear_antialias;
  else
    positions.resampling =
        a.pos_embed_antialias ? Resampling::bicubic_antialias : Resampling::bicubic;
  return positions;
}

/// Per block; empty where all are alike.
std::vector<int64_t> block_kv_heads(const TimmArguments& a) {
  if (std::ranges::adjacent_find(a.num_kv_heads, std::not_equal_to<>()) == a.num_kv_heads.end())
    return {};
  return a.num_kv_heads;
}

HeadConfig head(const TimmArguments& a, int64_t hidden_dim) {
  HeadConfig head;
  head.num_classes = a.num_classes;
  head.pooling = a.global_pool;
  const bool fc_norm = a.fc_norm.value_or(norms_pooled(a));
  head.norm_after = a.final_norm && fc_norm;
  head.norm_before = a.final_norm && !fc_norm;
  if (a.timm_class == TimmClass::eva) head.norm_before = a.post_transformer_norm.value_or(!fc_norm);
  // Eva's attention pool reads all tokens.
  head.pool_prefix =
      a.pool_include_prefix || (a.timm_class == TimmClass::eva && a.global_pool == Pooling::map);
  if (a.global_pool == Pooling::map) {
    if (a.attn_pool_num_heads != a.num_heads) head.attention_pool.num_heads = a.attn_pool_num_heads;
    const int64_t own =
        mlp_hidden_dim(a.embed_dim, a.attn_pool_mlp_ratio.value_or(a.mlp_ratio), TimmMlp::plain);
    if (own != hidden_dim) head.attention_pool.hidden_dim = own;
  }
  if (a.timm_class == TimmClass::distilled && a.global_pool == Pooling::cls) head.token_heads = 2;
  return head;
}

}  // namespace

bool TimmArguments::has_gate_apart() const {
  if (mlp_layer != TimmMlp::swiglu) return false;
  const bool packs = timm_class == TimmClass::eva || timm_class == TimmClass::naflex;
  return !packs || scale_mlp_norm || swiglu_align_to > 0;
}

int64_t TimmArguments::kv_heads(int64_t i) const {
  if (num_kv_heads.empty()) return num_heads;
  return num_kv_heads.size() == 1 ? num_kv_heads[0] : num_kv_heads.at(static_cast<size_t>(i));
}

int64_t mlp_hidden_dim(int64_t embed_dim, double mlp_ratio, TimmMlp mlp, int64_t align_to) {
  const auto rows = static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio);
  if (mlp == TimmMlp::glu) return rows / 2;
  if (mlp == TimmMlp::plain || align_to <= 0) return rows;
  return (rows + align_to - 1) / align_to * align_to;
}

VitConfig timm_model(const TimmArguments& a) {
  VitConfig c;
  c.input.channels = a.in_chans;
  c.set_image_size(a.img_size);
  c.patch.set_size(a.patch_size);
  c.patch.bias = !a.pre_norm;
  c.patch.norm = a.embed_norm;
  c.prefix.cls_tokens = a.class_token;
  c.prefix.dist_token = a.timm_class == TimmClass::distilled;
  c.prefix.reg_tokens = a.reg_tokens;
  c.positions = positions(a);
  c.pre_norm = a.pre_norm;
  c.depth = a.depth;

  BlockConfig& block = c.block;
  block.dim = a.embed_dim;
  block.norm = a.norm_layer;
  block.norm_place = a.norm_place;
  block.attention = attention(a);
  block.mlp = mlp(a);
  block.layer_scale = a.layer_scale && a.norm_place == NormPlace::pre;
  block.mlp_layer_scale = !(block.layer_scale && a.attn_only_layer_scale);
  c.kv_heads = block_kv_heads(a);
  if (c.kv_heads.empty() && !a.num_kv_heads.empty() && a.num_kv_heads[0] != a.num_heads)
    block.attention.num_kv_heads = a.num_kv_heads[0];
  c.head = head(a, block.mlp.hidden_dim);
  return c;
}

}  // namespace vit
