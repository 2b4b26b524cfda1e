#include <vit/architectures/rows.h>

// Class Eva as the Perception Encoder (arXiv 2504.13181) has it.

namespace vit {
namespace {

/// Columns before rows; `reference` patches along the sides of the grid that they are counted in.
TimmArguments encoder(Backbone backbone, int64_t patch_size, int64_t reference) {
  TimmArguments a = backbone.with_patches(patch_size);
  a.timm_class = TimmClass::eva;
  a.attn_type = TimmAttention::rope;
  a.norm_layer.eps = 1e-5;
  a.pre_norm = true;
  a.rope = true;
  a.rope_xy = true;
  a.ref_feat_shape = {reference, reference};
  // Those with a class token count from 1, the largest has none.
  a.rope_grid_offset = 1;
  return a;
}

/// An attention pool of 8 heads over all tokens.
TimmArguments core(TimmArguments a) {
  a.global_pool = Pooling::map;
  a.attn_pool_num_heads = 8;
  a.attn_pool_mlp_ratio = 4;
  return a;
}

/// Features without a norm at the end.
TimmArguments bare(TimmArguments a, bool layer_scale) {
  a.global_pool = Pooling::avg;
  a.fc_norm = a.post_transformer_norm = false;
  a.layer_scale = layer_scale;
  return a;
}

TimmArguments gigantic(int64_t depth) {
  TimmArguments a = encoder({1536, depth, 16, 8960.0 / 1536}, 14, 32);
  a.class_token = false;
  a.rope_grid_offset = 0;
  return a;
}

}  // namespace

ArchitectureRows perception_encoder_rows() {
  constexpr Backbone kLangLarge{1024, 23, 16};
  return {
      {"vit_pe_core_tiny_patch16_384", core(encoder(kTiny, 16, 24))},
      {"vit_pe_core_small_patch16_384", core(encoder(kSmall, 16, 24))},
      {"vit_pe_core_base_patch16_224", core(encoder(kBase, 16, 14))},
      {"vit_pe_core_large_patch14_336", core(encoder(kLarge, 14, 24))},
      {"vit_pe_core_gigantic_patch14_448", core(gigantic(50))},
      {"vit_pe_lang_large_patch14_448", bare(encoder(kLangLarge, 14, 32), true)},
      {"vit_pe_lang_gigantic_patch14_448", bare(gigantic(47), true)},
      {"vit_pe_spatial_tiny_patch16_512", bare(encoder(kTiny, 16, 32), false)},
      {"vit_pe_spatial_small_patch16_512", bare(encoder(kSmall, 16, 32), false)},
      {"vit_pe_spatial_base_patch16_512", bare(encoder(kBase, 16, 32), false)},
      {"vit_pe_spatial_large_patch14_448", bare(encoder(kLarge, 14, 32), false)},
      {"vit_pe_spatial_gigantic_patch14_448", bare(gigantic(50), true)},
  };
}

}  // namespace vit
