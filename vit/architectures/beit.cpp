#include <vit/architectures/rows.h>

// Class Beit: BEiT (arXiv 2106.08254) and BEiT v2 (arXiv 2208.06366), with relative position biases
// in each block.

namespace vit {
namespace {

TimmArguments beit(Backbone backbone) {
  TimmArguments a = backbone.with_patches(16);
  a.timm_class = TimmClass::beit;
  a.attn_type = TimmAttention::eva;
  a.global_pool = Pooling::avg;
  a.pos_embed = PositionKind::none;
  a.rel_pos = true;
  a.rel_pos_type = TimmRelPos::bias;
  a.layer_scale = true;
  return a;
}

}  // namespace

ArchitectureRows beit_rows() {
  return {
      {"beit_base_patch16_224", beit(kBase)},     {"beit_base_patch16_384", beit(kBase)},
      {"beit_large_patch16_224", beit(kLarge)},   {"beit_large_patch16_384", beit(kLarge)},
      {"beit_large_patch16_512", beit(kLarge)},   {"beitv2_base_patch16_224", beit(kBase)},
      {"beitv2_large_patch16_224", beit(kLarge)},
  };
}

}  // namespace vit
