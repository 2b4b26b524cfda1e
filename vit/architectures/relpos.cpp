#include <vit/architectures/rows.h>

// Class VisionTransformerRelPos: timm's models with relative position biases from a small MLP.

namespace vit {
namespace {

TimmArguments relpos(Backbone backbone, int64_t patch_size = 16) {
  TimmArguments a = backbone.with_patches(patch_size);
  a.timm_class = TimmClass::relpos;
  a.class_token = false;
  a.global_pool = Pooling::avg;
  a.pos_embed = PositionKind::none;
  a.rel_pos = true;
  a.layer_scale = true;
  a.fc_norm = false;
  return a;
}

/// The later ones have no biases of q, k and v.
TimmArguments biasless(Backbone backbone, bool fc_norm) {
  TimmArguments a = relpos(backbone);
  a.qkv_bias = false;
  a.fc_norm = fc_norm;
  return a;
}

TimmArguments shared(Backbone backbone) {
  TimmArguments a = biasless(backbone, false);
  a.rel_pos = false;
  a.shared_rel_pos = true;
  a.rel_pos_dim = backbone.embed_dim;
  return a;
}

TimmArguments with_class_token(TimmArguments a, Pooling pooling, int64_t rel_pos_dim = 0) {
  a.class_token = true;
  a.global_pool = pooling;
  a.rel_pos_dim = rel_pos_dim;
  return a;
}

TimmArguments res_post(TimmArguments a) {
  a.norm_place = NormPlace::res_post;
  return a;
}

}  // namespace

ArchitectureRows relpos_rows() {
  constexpr Backbone kTest{96, 9, 3, 2};
  return {
      {"vit_relpos_small_patch16_224", biasless(kSmall, true)},
      {"vit_relpos_medium_patch16_224", biasless(kMedium, true)},
      {"vit_relpos_base_patch16_224", biasless(kBase, true)},
      {"vit_relpos_base_patch16_plus_240", relpos(kBasePlus)},
      {"vit_relpos_medium_patch16_cls_224",
       with_class_token(biasless(kMedium, false), Pooling::cls, 256)},
      {"vit_relpos_base_patch16_cls_224", with_class_token(biasless(kBase, false), Pooling::cls)},
      {"vit_relpos_base_patch16_clsgap_224", with_class_token(biasless(kBase, true), Pooling::avg)},
      {"vit_relpos_small_patch16_rpn_224", res_post(biasless(kSmall, false))},
      {"vit_relpos_medium_patch16_rpn_224", res_post(biasless(kMedium, false))},
      {"vit_relpos_base_patch16_rpn_224", res_post(biasless(kBase, false))},
      {"vit_relpos_base_patch32_plus_rpn_256", res_post(relpos(kBasePlus, 32))},
      {"vit_srelpos_small_patch16_224", shared(kSmall)},
      {"vit_srelpos_medium_patch16_224", shared(kMedium)},
      {"test_vit_relpos", biasless(kTest, true)},
  };
}

}  // namespace vit
