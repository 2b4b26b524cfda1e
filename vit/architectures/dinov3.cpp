#include <vit/architectures/rows.h>

// Class Eva with centered rotary coordinates: DINOv3 (arXiv 2508.10104) and EUPE, LingBot-Vision
// (arXiv 2607.05247), Sapiens2 (arXiv 2604.21681).

namespace vit {
namespace {

TimmArguments centered_rotary(Backbone backbone) {
  TimmArguments a = backbone.with_patches(16);
  a.timm_class = TimmClass::eva;
  a.pos_embed = PositionKind::none;
  a.rope = true;
  a.rope_type = TimmRope::dinov3;
  a.rope_temperature = 100;
  a.rope_rotate_half = true;
  a.layer_scale = true;
  a.fc_norm = false;
  return a;
}

/// All tokens are normed, then the mean of the patches is taken.
TimmArguments dinov3(Backbone backbone, int64_t swiglu_align_to = 0) {
  TimmArguments a = centered_rotary(backbone);
  a.attn_type = TimmAttention::eva;
  a.qkv_bias = false;
  a.reg_tokens = 4;
  a.norm_layer.eps = 1e-5;
  a.global_pool = Pooling::avg;
  a.swiglu_align_to = swiglu_align_to;
  if (swiglu_align_to) a.mlp_layer = TimmMlp::swiglu;
  return a;
}

TimmArguments with_bias(TimmArguments a) {
  a.qkv_bias = true;
  return a;
}

TimmArguments lingbot(TimmArguments a) {
  a.global_pool = Pooling::cls;
  return a;
}

/// Keys and values are fewer between the first and the last 8 blocks.
TimmArguments sapiens2(Backbone backbone) {
  TimmArguments a = centered_rotary(backbone);
  constexpr int64_t kFullBlocks = 8;
  for (int64_t i = 0; i < backbone.depth; ++i)
    a.num_kv_heads.push_back(i < kFullBlocks || i >= backbone.depth - kFullBlocks
                                 ? backbone.num_heads
                                 : backbone.num_heads / 2);
  a.attn_type = TimmAttention::rope;
  a.qkv_fused = false;
  a.qk_norm = true;
  a.mlp_layer = TimmMlp::swiglu;
  a.attn_only_layer_scale = true;
  a.reg_tokens = 8;
  a.norm_layer.kind = NormKind::rms_norm;
  return a;
}

}  // namespace

ArchitectureRows dinov3_rows() {
  constexpr Backbone kHugePlus{1280, 32, 20}, k7b{4096, 40, 32, 2},
      kLingbotGiant{1536, 40, 24, 4.0 * 2 / 3}, kSapiensGiant{1536, 40, 24}, k5b{2432, 56, 32};
  return {
      {"vit_tiny_patch16_dinov3_qkvb", with_bias(dinov3(kTiny))},
      {"vit_small_patch16_dinov3", dinov3(kSmall)},
      {"vit_small_patch16_dinov3_qkvb", with_bias(dinov3(kSmall))},
      {"vit_small_plus_patch16_dinov3", dinov3(kSmall, 8)},
      {"vit_small_plus_patch16_dinov3_qkvb", with_bias(dinov3(kSmall, 8))},
      {"vit_base_patch16_dinov3", dinov3(kBase)},
      {"vit_base_patch16_dinov3_qkvb", with_bias(dinov3(kBase))},
      {"vit_large_patch16_dinov3", dinov3(kLarge)},
      {"vit_large_patch16_dinov3_qkvb", with_bias(dinov3(kLarge))},
      {"vit_huge_plus_patch16_dinov3", dinov3(kHugePlus, 8)},
      {"vit_huge_plus_patch16_dinov3_qkvb", with_bias(dinov3(kHugePlus, 8))},
      {"vit_7b_patch16_dinov3", dinov3(k7b, 64)},
      {"vit_small_patch16_lingbot", lingbot(with_bias(dinov3(kSmall)))},
      {"vit_base_patch16_lingbot", lingbot(with_bias(dinov3(kBase)))},
      {"vit_large_patch16_lingbot", lingbot(with_bias(dinov3(kLarge)))},
      {"vit_giant_patch16_lingbot", lingbot(dinov3(kLingbotGiant, 8))},
      {"vit_base_patch16_sapiens2", sapiens2(kBase)},
      {"vit_large_patch16_sapiens2", sapiens2(kLarge)},
      {"vit_huge_patch16_sapiens2", sapiens2(kHuge)},
      {"vit_giant_patch16_sapiens2", sapiens2(kSapiensGiant)},
      {"vit_5b_patch16_sapiens2", sapiens2(k5b)},
  };
}

}  // namespace vit
