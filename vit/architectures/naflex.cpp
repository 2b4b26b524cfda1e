#include <vit/architectures/rows.h>

// Class NaFlexVit: pictures of any aspect (arXiv 2307.06304, 2502.14786), whose table of positions
// is resized to the grid of each.

namespace vit {
namespace {

TimmArguments naflex(Backbone backbone, int64_t reg_tokens, Pooling pooling) {
  TimmArguments a = backbone.with_patches(16);
  a.timm_class = TimmClass::naflex;
  a.class_token = false;
  a.reg_tokens = reg_tokens;
  a.no_embed_class = true;
  a.global_pool = pooling;
  if (pooling == Pooling::avg) a.fc_norm = true;
  a.layer_scale = true;
  return a;
}

TimmArguments without_qkv_bias(TimmArguments a) {
  a.qkv_bias = false;
  return a;
}

/// The table is resized to a square of the longer side.
TimmArguments ar_preserving(TimmArguments a, bool factorized = false) {
  a.pos_embed_ar_preserving = true;
  a.pos_embed_factorized = factorized;
  return a;
}

/// SigLIP 2 (arXiv 2502.14786).
TimmArguments siglip(Backbone backbone) {
  TimmArguments a = naflex(backbone, 0, Pooling::map);
  a.act_layer = Activation::gelu_tanh;
  a.layer_scale = false;
  a.pos_embed_bilinear = true;
  return a;
}

/// C-RADIO (arXiv 2412.07679); some were trained with corners aligned.
TimmArguments radio(Backbone backbone, int64_t reg_tokens, bool layer_scale, bool align_corners) {
  TimmArguments a = ar_preserving(naflex(backbone, reg_tokens, Pooling::cls));
  a.class_token = true;
  a.layer_scale = layer_scale;
  a.final_norm = false;
  a.pos_embed_grid_size = {128, 128};
  a.pos_embed_bilinear = true;
  a.pos_embed_antialias = false;
  a.pos_embed_align_corners = align_corners;
  return a;
}

}  // namespace

ArchitectureRows naflex_rows() {
  constexpr Backbone kGiantRadio{1536, 40, 24};
  return {
      {"naflexvit_base_patch16_gap", naflex(kBase, 4, Pooling::avg)},
      {"naflexvit_base_patch16_par_gap", ar_preserving(naflex(kBase, 4, Pooling::avg))},
      {"naflexvit_base_patch16_parfac_gap", ar_preserving(naflex(kBase, 4, Pooling::avg), true)},
      {"naflexvit_base_patch16_map", naflex(kBase, 1, Pooling::map)},
      {"naflexvit_so150m2_patch16_reg1_gap", without_qkv_bias(naflex(kSo150m2, 1, Pooling::avg))},
      {"naflexvit_so150m2_patch16_reg1_map", without_qkv_bias(naflex(kSo150m2, 1, Pooling::map))},
      {"naflexvit_base_patch16_siglip", siglip(kBase)},
      {"naflexvit_so400m_patch16_siglip", siglip(kSo400m)},
      {"naflexvit_base_patch16_radio_v3", radio(kBase, 7, true, true)},
      {"naflexvit_large_patch16_radio_v3", radio(kLarge, 7, true, false)},
      {"naflexvit_huge_patch16_radio_v3", radio(kHuge, 7, false, true)},
      {"naflexvit_giant_patch16_radio_v3", radio(kGiantRadio, 7, false, false)},
      {"naflexvit_so400m_patch16_radio_v4", radio(kSo400mRadio, 9, false, false)},
      {"naflexvit_huge_patch16_radio_v4", radio(kHuge, 9, false, false)},
  };
}

}  // namespace vit
