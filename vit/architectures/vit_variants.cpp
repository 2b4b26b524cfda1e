#include <utility>

#include <vit/architectures/rows.h>

// Class VisionTransformer with parts that a plain one lacks.

namespace vit {
namespace {

constexpr NormConfig kRms{NormKind::rms_norm, 1e-5};

/// AIMv2 (arXiv 2411.14402): RMS norms, also of the patches, SwiGLU, no biases in the blocks.
TimmArguments aimv2(Backbone backbone) {
  TimmArguments a = backbone.with_patches(14);
  a.class_token = false;
  a.global_pool = Pooling::avg;
  a.fc_norm = false;
  a.qkv_bias = a.proj_bias = false;
  a.mlp_layer = TimmMlp::swiglu;
  a.act_layer = Activation::silu;
  a.norm_layer = kRms;
  a.embed_norm = true;
  return a;
}

/// BEiT-3 (arXiv 2208.10442): norms inside attention and MLP.
TimmArguments beit3(Backbone backbone, int64_t patch_size) {
  TimmArguments a = backbone.with_patches(patch_size);
  a.global_pool = Pooling::avg;
  a.scale_attn_norm = a.scale_mlp_norm = true;
  a.norm_layer.eps = 1e-5;
  return a;
}

/// C-RADIO (arXiv 2412.07679): features of several teachers, whose class tokens count as registers.
TimmArguments radio(Backbone backbone, int64_t reg_tokens, bool layer_scale = false) {
  TimmArguments a = backbone.with_patches(16);
  a.reg_tokens = reg_tokens;
  a.layer_scale = layer_scale;
  a.no_embed_class = true;
  a.final_norm = false;
  return a;
}

/// Norms behind the branches.
TimmArguments res_post(TimmArguments a) {
  a.norm_place = NormPlace::res_post;
  a.class_token = false;
  a.global_pool = Pooling::avg;
  a.qkv_bias = false;
  a.layer_scale = true;
  return a;
}

TimmArguments test_vit(double mlp_ratio, Pooling pooling) {
  TimmArguments a = Backbone{96, 9, 3, mlp_ratio}.with_patches(16);
  a.class_token = false;
  a.reg_tokens = 1;
  a.layer_scale = true;
  a.global_pool = pooling;
  a.pool_include_prefix = pooling == Pooling::map;
  return a;
}

}  // namespace

ArchitectureRows vit_variant_rows() {
  constexpr Backbone kAimLarge{1024, 24, 8, 2.75}, kAimHuge{1536, 24, 12, 2.6667},
      kAim1b{2048, 24, 16, 2.75}, kAim3b{3072, 24, 24, 2.6667}, kBeit3Giant{1408, 40, 16, 4.3637},
      kGiantRadio{1536, 40, 24};
  TimmArguments rms_test = test_vit(3, Pooling::avg);
  rms_test.norm_layer.kind = NormKind::rms_norm;
  return {
      {"aimv2_large_patch14_224", aimv2(kAimLarge)},
      {"aimv2_large_patch14_336", aimv2(kAimLarge)},
      {"aimv2_large_patch14_448", aimv2(kAimLarge)},
      {"aimv2_huge_patch14_224", aimv2(kAimHuge)},
      {"aimv2_huge_patch14_336", aimv2(kAimHuge)},
      {"aimv2_huge_patch14_448", aimv2(kAimHuge)},
      {"aimv2_1b_patch14_224", aimv2(kAim1b)},
      {"aimv2_1b_patch14_336", aimv2(kAim1b)},
      {"aimv2_1b_patch14_448", aimv2(kAim1b)},
      {"aimv2_3b_patch14_224", aimv2(kAim3b)},
      {"aimv2_3b_patch14_336", aimv2(kAim3b)},
      {"aimv2_3b_patch14_448", aimv2(kAim3b)},
      {"beit3_base_patch16_224", beit3(kBase, 16)},
      {"beit3_large_patch16_224", beit3(kLarge, 16)},
      {"beit3_giant_patch14_224", beit3(kBeit3Giant, 14)},
      {"beit3_giant_patch14_336", beit3(kBeit3Giant, 14)},
      {"vit_base_patch16_radio_v3", radio(kBase, 7, true)},
      {"vit_large_patch16_radio_v3", radio(kLarge, 7, true)},
      {"vit_huge_patch16_radio_v3", radio(kHuge, 7)},
      {"vit_giant_patch16_radio_v3", radio(kGiantRadio, 7)},
      {"vit_so400m_patch16_radio_v4", radio(kSo400mRadio, 9)},
      {"vit_huge_patch16_radio_v4", radio(kHuge, 9)},
      {"vit_base_patch16_rpn_224", res_post(kBase.with_patches(16))},
      {"test_vit3", test_vit(2, Pooling::map)},
      {"test_vit4", std::move(rms_test)},
  };
}

}  // namespace vit
