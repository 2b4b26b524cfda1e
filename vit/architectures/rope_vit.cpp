#include <vit/architectures/rows.h>

// Class Eva as RoPE-ViT (arXiv 2403.13298) has it: axial or learned frequencies, with a table of
// positions beside them ("ape") or without.

namespace vit {
namespace {

TimmArguments axial(Backbone backbone) {
  TimmArguments a = backbone.with_patches(16);
  a.timm_class = TimmClass::eva;
  a.attn_type = TimmAttention::rope;
  a.pos_embed = PositionKind::none;
  a.layer_scale = true;
  a.rope = true;
  a.rope_xy = true;
  a.rope_temperature = 100;
  return a;
}

TimmArguments mixed(Backbone backbone) {
  TimmArguments a = axial(backbone);
  a.rope_type = TimmRope::mixed;
  a.rope_temperature = 10;
  return a;
}

TimmArguments with_table(TimmArguments a) {
  a.pos_embed = PositionKind::learned;
  a.no_embed_class = true;
  return a;
}

}  // namespace

ArchitectureRows rope_vit_rows() {
  return {
      {"vit_small_patch16_rope_224", axial(kSmall)},
      {"vit_base_patch16_rope_224", axial(kBase)},
      {"vit_large_patch16_rope_224", axial(kLarge)},
      {"vit_small_patch16_rope_mixed_224", mixed(kSmall)},
      {"vit_base_patch16_rope_mixed_224", mixed(kBase)},
      {"vit_large_patch16_rope_mixed_224", mixed(kLarge)},
      {"vit_small_patch16_rope_ape_224", with_table(axial(kSmall))},
      {"vit_base_patch16_rope_ape_224", with_table(axial(kBase))},
      {"vit_large_patch16_rope_ape_224", with_table(axial(kLarge))},
      {"vit_small_patch16_rope_mixed_ape_224", with_table(mixed(kSmall))},
      {"vit_base_patch16_rope_mixed_ape_224", with_table(mixed(kBase))},
      {"vit_large_patch16_rope_mixed_ape_224", with_table(mixed(kLarge))},
  };
}

}  // namespace vit
