#include <vit/architectures/rows.h>

// Class Eva: EVA (arXiv 2211.07636), EVA-02 (arXiv 2303.11331), their CLIP towers
// (arXiv 2303.15389), and timm's own models of that class.

namespace vit {
namespace {

/// q, k and v have no bias of the keys.
TimmArguments eva(Backbone backbone, int64_t patch_size, Pooling pooling = Pooling::avg) {
  TimmArguments a = backbone.with_patches(patch_size);
  a.timm_class = TimmClass::eva;
  a.attn_type = TimmAttention::eva;
  a.global_pool = pooling;
  return a;
}

/// All of them count in the grid of 16x16 patches.
TimmArguments with_rotary(TimmArguments a) {
  a.rope = true;
  a.ref_feat_shape = {16, 16};
  return a;
}

TimmArguments eva02(Backbone backbone) {
  backbone.mlp_ratio = 4.0 * 2 / 3;
  TimmArguments a = with_rotary(eva(backbone, 14));
  a.mlp_layer = TimmMlp::swiglu;
  return a;
}

/// The larger ones have a norm inside the MLP, and q, k and v apart.
TimmArguments large_eva02(Backbone backbone) {
  TimmArguments a = eva02(backbone);
  a.qkv_fused = false;
  a.scale_mlp_norm = true;
  return a;
}

TimmArguments eva02_clip(Backbone backbone, int64_t patch_size) {
  TimmArguments a = large_eva02(backbone);
  a.patch_size = {patch_size, patch_size};
  a.scale_attn_norm = true;
  a.global_pool = Pooling::cls;
  return a;
}

TimmArguments enormous_clip() {
  TimmArguments a = eva({1792, 64, 16, 15360.0 / 1792}, 14, Pooling::cls);
  a.norm_place = NormPlace::res_post;
  return a;
}

/// timm's small rotary models without a class token.
TimmArguments rotary_gap(Backbone backbone, int64_t reg_tokens) {
  TimmArguments a = with_rotary(eva(backbone, 16));
  a.class_token = false;
  a.reg_tokens = reg_tokens;
  a.pos_embed = PositionKind::none;
  a.layer_scale = true;
  return a;
}

TimmArguments without_qkv_bias(TimmArguments a) {
  a.qkv_bias = false;
  return a;
}

}  // namespace

ArchitectureRows eva_rows() {
  return {
      {"eva_giant_patch14_224", eva(kGiant, 14)},
      {"eva_giant_patch14_336", eva(kGiant, 14)},
      {"eva_giant_patch14_560", eva(kGiant, 14)},
      {"eva_giant_patch14_clip_224", eva(kGiant, 14, Pooling::cls)},
      {"eva02_tiny_patch14_224", eva02(kTiny)},
      {"eva02_tiny_patch14_336", eva02(kTiny)},
      {"eva02_small_patch14_224", eva02(kSmall)},
      {"eva02_small_patch14_336", eva02(kSmall)},
      {"eva02_base_patch14_224", large_eva02(kBase)},
      {"eva02_base_patch14_448", large_eva02(kBase)},
      {"eva02_large_patch14_224", large_eva02(kLarge)},
      {"eva02_large_patch14_448", large_eva02(kLarge)},
      {"eva02_base_patch16_clip_224", eva02_clip(kBase, 16)},
      {"eva02_large_patch14_clip_224", eva02_clip(kLarge, 14)},
      {"eva02_large_patch14_clip_336", eva02_clip(kLarge, 14)},
      {"eva02_enormous_patch14_clip_224", enormous_clip()},
      {"vit_medium_patch16_rope_reg1_gap_256", rotary_gap(kMedium, 1)},
      {"vit_mediumd_patch16_rope_reg1_gap_256", without_qkv_bias(rotary_gap(kMediumDeep, 1))},
      {"vit_betwixt_patch16_rope_reg4_gap_256", rotary_gap(kBetwixt, 4)},
      {"vit_base_patch16_rope_reg1_gap_256", rotary_gap(kBase, 1)},
  };
}

}  // namespace vit
