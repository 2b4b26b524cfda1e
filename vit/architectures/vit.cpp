#include <cstdint>

#include <vit/architectures/rows.h>

// Class VisionTransformer as the papers have it, and DeiT's.

namespace vit {
namespace {

// Traits: how a row differs from a plain ViT with a class token, GELU and a final norm.
enum Trait : uint32_t {
  kPlain = 0,
  kNoCls = 1 << 0,
  kDistilled = 1 << 1,
  kReg1 = 1 << 2,
  kReg4 = 1 << 3,
  kPatchPositions = 1 << 4,  // the position table covers the patches only
  kPreNorm = 1 << 5,         // and no bias in the patch embedding, which the norm would cancel
  kSmallEps = 1 << 6,        // 1e-5 where others have 1e-6
  kNoQkvBias = 1 << 7,
  kLayerScale = 1 << 8,
  kSwiglu = 1 << 9,
  kQuickGelu = 1 << 10,
  kGeluTanh = 1 << 11,
  kAvg = 1 << 12,
  kMap = 1 << 13,
  kFcNorm = 1 << 14,
  kNoFinalNorm = 1 << 15,

  kClip = kPreNorm | kSmallEps,
  kSiglip = kNoCls | kMap,
  kGap = kNoCls | kAvg,
  kRegGap = kNoCls | kAvg | kFcNorm | kPatchPositions,
};

struct Row {
  const char* name;
  Backbone backbone;
  int64_t patch_size;
  uint32_t traits;
};

constexpr Backbone kTest{64, 6, 2, 3};
constexpr Backbone kTest2{64, 8, 2, 3};
constexpr Backbone kXsmall{256, 10, 4};
constexpr Backbone kWee{256, 14, 4, 5};
constexpr Backbone kLittle{320, 14, 5, 5.6};
constexpr Backbone kSmallDeep{384, 36, 6};
constexpr Backbone kBase16Heads{768, 12, 16};
constexpr Backbone kSo150m{896, 18, 14, 2.572};
constexpr Backbone kGiantSwiglu{1536, 40, 24, 2 * 2.66667};
constexpr Backbone kGiantOpt{1536, 40, 16};
constexpr Backbone kGigantic{1664, 48, 16, 64.0 / 13};

constexpr Row kRows[] = {
    // An image is worth 16x16 words (arXiv 2010.11929) and close relatives.
    {"vit_tiny_patch16_224", kTiny, 16, kPlain},
    {"vit_tiny_patch16_384", kTiny, 16, kPlain},
    {"vit_small_patch8_224", kSmall, 8, kPlain},
    {"vit_small_patch16_224", kSmall, 16, kPlain},
    {"vit_small_patch16_36x1_224", kSmallDeep, 16, kLayerScale},
    {"vit_small_patch16_384", kSmall, 16, kPlain},
    {"vit_small_patch32_224", kSmall, 32, kPlain},
    {"vit_small_patch32_384", kSmall, 32, kPlain},
    {"vit_base_patch8_224", kBase, 8, kPlain},
    {"vit_base_patch16_224", kBase, 16, kPlain},
    {"vit_base_patch16_224_miil", kBase, 16, kNoQkvBias},
    {"vit_base_patch16_384", kBase, 16, kPlain},
    {"vit_base_patch16_plus_240", kBasePlus, 16, kLayerScale},
    {"vit_base_patch32_224", kBase, 32, kPlain},
    {"vit_base_patch32_384", kBase, 32, kPlain},
    {"vit_base_patch32_plus_256", kBasePlus, 32, kLayerScale},
    {"vit_large_patch14_224", kLarge, 14, kPlain},
    {"vit_large_patch16_224", kLarge, 16, kPlain},
    {"vit_large_patch16_384", kLarge, 16, kPlain},
    {"vit_large_patch32_224", kLarge, 32, kPlain},
    {"vit_large_patch32_384", kLarge, 32, kPlain},
    {"vit_huge_patch14_224", kHuge, 14, kPlain},
    {"vit_giant_patch14_224", kGiant, 14, kPlain},
    {"vit_gigantic_patch14_224", kGigantic, 14, kPlain},
    // DeiT (arXiv 2012.12877).
    {"deit_tiny_distilled_patch16_224", kTiny, 16, kDistilled},
    {"deit_tiny_patch16_224", kTiny, 16, kPlain},
    {"deit_small_distilled_patch16_224", kSmall, 16, kDistilled},
    {"deit_small_patch16_224", kSmall, 16, kPlain},
    {"deit_base_distilled_patch16_224", kBase, 16, kDistilled},
    {"deit_base_distilled_patch16_384", kBase, 16, kDistilled},
    {"deit_base_patch16_224", kBase, 16, kPlain},
    {"deit_base_patch16_384", kBase, 16, kPlain},
    // DeiT III (arXiv 2204.07118).
    {"deit3_small_patch16_224", kSmall, 16, kPatchPositions | kLayerScale},
    {"deit3_small_patch16_384", kSmall, 16, kPatchPositions | kLayerScale},
    {"deit3_medium_patch16_224", kMedium, 16, kPatchPositions | kLayerScale},
    {"deit3_base_patch16_224", kBase, 16, kPatchPositions | kLayerScale},
    {"deit3_base_patch16_384", kBase, 16, kPatchPositions | kLayerScale},
    {"deit3_large_patch16_224", kLarge, 16, kPatchPositions | kLayerScale},
    {"deit3_large_patch16_384", kLarge, 16, kPatchPositions | kLayerScale},
    {"deit3_huge_patch14_224", kHuge, 14, kPatchPositions | kLayerScale},
    // DINOv2 (arXiv 2304.07193), with registers (arXiv 2309.16588), TIPS (arXiv 2410.16512).
    {"vit_small_patch14_dinov2", kSmall, 14, kLayerScale},
    {"vit_small_patch14_reg4_dinov2", kSmall, 14, kReg4 | kPatchPositions | kLayerScale},
    {"vit_base_patch14_dinov2", kBase, 14, kLayerScale},
    {"vit_base_patch14_reg1_tipsv2", kBase, 14, kReg1 | kPatchPositions | kLayerScale},
    {"vit_base_patch14_reg4_dinov2", kBase, 14, kReg4 | kPatchPositions | kLayerScale},
    {"vit_large_patch14_dinov2", kLarge, 14, kLayerScale},
    {"vit_large_patch14_reg1_tipsv2", kLarge, 14, kReg1 | kPatchPositions | kLayerScale},
    {"vit_large_patch14_reg4_dinov2", kLarge, 14, kReg4 | kPatchPositions | kLayerScale},
    {"vit_so400m_patch14_reg1_tipsv2", kSo400mRadio, 14, kReg1 | kPatchPositions | kLayerScale},
    {"vit_giant_patch14_dinov2", kGiantSwiglu, 14, kLayerScale | kSwiglu},
    {"vit_giant_patch14_reg1_tipsv2", kGiantSwiglu, 14,
     kReg1 | kPatchPositions | kLayerScale | kSwiglu},
    {"vit_giant_patch14_reg4_dinov2", kGiantSwiglu, 14,
     kReg4 | kPatchPositions | kLayerScale | kSwiglu},
    // CLIP image towers (arXiv 2103.00020).
    {"vit_xsmall_patch16_clip_224", kXsmall, 16, kClip},
    {"vit_medium_patch16_clip_224", kMedium, 16, kClip},
    {"vit_medium_patch32_clip_224", kMedium, 32, kClip},
    {"vit_betwixt_patch32_clip_224", kBetwixt, 32, kClip},
    {"vit_base_patch16_clip_224", kBase, 16, kClip},
    {"vit_base_patch16_clip_384", kBase, 16, kClip},
    {"vit_base_patch16_clip_quickgelu_224", kBase, 16, kClip | kQuickGelu},
    {"vit_base_patch16_plus_clip_240", kBasePlus, 16, kClip},
    {"vit_base_patch32_clip_224", kBase, 32, kClip},
    {"vit_base_patch32_clip_256", kBase, 32, kClip},
    {"vit_base_patch32_clip_384", kBase, 32, kClip},
    {"vit_base_patch32_clip_448", kBase, 32, kClip},
    {"vit_base_patch32_clip_quickgelu_224", kBase, 32, kClip | kQuickGelu},
    {"vit_large_patch14_clip_224", kLarge, 14, kClip},
    {"vit_large_patch14_clip_336", kLarge, 14, kClip},
    {"vit_large_patch14_clip_quickgelu_224", kLarge, 14, kClip | kQuickGelu},
    {"vit_large_patch14_clip_quickgelu_336", kLarge, 14, kClip | kQuickGelu},
    {"vit_huge_patch14_clip_224", kHuge, 14, kClip},
    {"vit_huge_patch14_clip_336", kHuge, 14, kClip},
    {"vit_huge_patch14_clip_378", kHuge, 14, kClip},
    {"vit_huge_patch14_clip_quickgelu_224", kHuge, 14, kClip | kQuickGelu},
    {"vit_huge_patch14_clip_quickgelu_378", kHuge, 14, kClip | kQuickGelu},
    {"vit_giant_patch14_clip_224", kGiant, 14, kClip},
    {"vit_gigantic_patch14_clip_224", kGigantic, 14, kClip},
    {"vit_gigantic_patch14_clip_378", kGigantic, 14, kClip},
    {"vit_gigantic_patch14_clip_quickgelu_224", kGigantic, 14, kClip | kQuickGelu},
    // SigLIP image towers (arXiv 2303.15343), with attention pooling or with the plain mean.
    {"vit_base_patch16_siglip_224", kBase, 16, kSiglip},
    {"vit_base_patch16_siglip_256", kBase, 16, kSiglip},
    {"vit_base_patch16_siglip_384", kBase, 16, kSiglip},
    {"vit_base_patch16_siglip_512", kBase, 16, kSiglip},
    {"vit_base_patch16_siglip_gap_224", kBase, 16, kGap},
    {"vit_base_patch16_siglip_gap_256", kBase, 16, kGap},
    {"vit_base_patch16_siglip_gap_384", kBase, 16, kGap},
    {"vit_base_patch16_siglip_gap_512", kBase, 16, kGap},
    {"vit_base_patch32_siglip_256", kBase, 32, kSiglip | kGeluTanh},
    {"vit_base_patch32_siglip_gap_256", kBase, 32, kGap | kGeluTanh},
    {"vit_large_patch16_siglip_256", kLarge, 16, kSiglip},
    {"vit_large_patch16_siglip_384", kLarge, 16, kSiglip},
    {"vit_large_patch16_siglip_512", kLarge, 16, kSiglip | kGeluTanh},
    {"vit_large_patch16_siglip_gap_256", kLarge, 16, kGap},
    {"vit_large_patch16_siglip_gap_384", kLarge, 16, kGap},
    {"vit_large_patch16_siglip_gap_512", kLarge, 16, kGap | kGeluTanh},
    {"vit_so400m_patch14_siglip_224", kSo400m, 14, kSiglip},
    {"vit_so400m_patch14_siglip_378", kSo400m, 14, kSiglip},
    {"vit_so400m_patch14_siglip_384", kSo400m, 14, kSiglip},
    {"vit_so400m_patch14_siglip_gap_224", kSo400m, 14, kGap},
    {"vit_so400m_patch14_siglip_gap_378", kSo400m, 14, kGap},
    {"vit_so400m_patch14_siglip_gap_384", kSo400m, 14, kGap},
    {"vit_so400m_patch14_siglip_gap_448", kSo400m, 14, kGap},
    {"vit_so400m_patch14_siglip_gap_896", kSo400m, 14, kGap},
    {"vit_so400m_patch16_siglip_256", kSo400m, 16, kSiglip | kGeluTanh},
    {"vit_so400m_patch16_siglip_384", kSo400m, 16, kSiglip | kGeluTanh},
    {"vit_so400m_patch16_siglip_512", kSo400m, 16, kSiglip | kGeluTanh},
    {"vit_so400m_patch16_siglip_gap_256", kSo400m, 16, kGap | kGeluTanh},
    {"vit_so400m_patch16_siglip_gap_384", kSo400m, 16, kGap | kGeluTanh},
    {"vit_so400m_patch16_siglip_gap_512", kSo400m, 16, kGap | kGeluTanh},
    {"vit_giantopt_patch16_siglip_256", kGiantOpt, 16, kSiglip | kGeluTanh},
    {"vit_giantopt_patch16_siglip_384", kGiantOpt, 16, kSiglip | kGeluTanh},
    {"vit_giantopt_patch16_siglip_gap_256", kGiantOpt, 16, kGap | kGeluTanh},
    {"vit_giantopt_patch16_siglip_gap_384", kGiantOpt, 16, kGap | kGeluTanh},
    // No class token; registers; I-JEPA (arXiv 2301.08243).
    {"vit_wee_patch16_reg1_gap_256", kWee, 16, kRegGap | kReg1 | kLayerScale},
    {"vit_little_patch16_reg1_gap_256", kLittle, 16, kRegGap | kReg1 | kLayerScale},
    {"vit_little_patch16_reg4_gap_256", kLittle, 16, kRegGap | kReg4 | kLayerScale},
    {"vit_medium_patch16_reg1_gap_256", kMedium, 16, kRegGap | kReg1 | kLayerScale},
    {"vit_medium_patch16_reg4_gap_256", kMedium, 16, kRegGap | kReg4 | kLayerScale},
    {"vit_medium_patch16_gap_240", kMedium, 16, kGap | kNoQkvBias | kLayerScale},
    {"vit_medium_patch16_gap_256", kMedium, 16, kGap | kNoQkvBias | kLayerScale},
    {"vit_medium_patch16_gap_384", kMedium, 16, kGap | kNoQkvBias | kLayerScale},
    {"vit_mediumd_patch16_reg4_gap_256", kMediumDeep, 16, kRegGap | kReg4 | kLayerScale},
    {"vit_mediumd_patch16_reg4_gap_384", kMediumDeep, 16, kRegGap | kReg4 | kLayerScale},
    {"vit_betwixt_patch16_reg1_gap_256", kBetwixt, 16, kRegGap | kReg1 | kLayerScale},
    {"vit_betwixt_patch16_reg4_gap_256", kBetwixt, 16, kRegGap | kReg4 | kLayerScale},
    {"vit_betwixt_patch16_reg4_gap_384", kBetwixt, 16, kRegGap | kReg4 | kLayerScale},
    {"vit_betwixt_patch16_gap_256", kBetwixt, 16, kGap | kNoQkvBias | kLayerScale},
    {"vit_base_patch16_reg4_gap_256", kBase, 16, kRegGap | kReg4},
    {"vit_base_patch16_gap_224", kBase16Heads, 16, kGap},
    {"vit_so150m_patch16_reg4_map_256", kSo150m, 16, kSiglip | kReg4},
    {"vit_so150m_patch16_reg4_gap_256", kSo150m, 16, kGap | kReg4},
    {"vit_so150m_patch16_reg4_gap_384", kSo150m, 16, kGap | kReg4},
    {"vit_huge_patch14_gap_224", kHuge, 14, kGap},
    {"vit_huge_patch16_gap_448", kHuge, 16, kGap},
    {"vit_giant_patch16_gap_224", kGiant, 16, kGap},
    {"vit_so150m2_patch16_reg1_gap_256", kSo150m2, 16,
     kGap | kReg1 | kNoQkvBias | kLayerScale | kFcNorm},
    {"vit_so150m2_patch16_reg1_gap_384", kSo150m2, 16,
     kGap | kReg1 | kNoQkvBias | kLayerScale | kFcNorm},
    {"vit_so150m2_patch16_reg1_gap_448", kSo150m2, 16,
     kGap | kReg1 | kNoQkvBias | kLayerScale | kFcNorm},
    // Others.
    {"flexivit_small", kSmall, 16, kPatchPositions},
    {"flexivit_base", kBase, 16, kPatchPositions},
    {"eva_large_patch14_196", kLarge, 14, kAvg | kFcNorm},
    {"eva_large_patch14_336", kLarge, 14, kAvg | kFcNorm},
    {"flexivit_large", kLarge, 16, kPatchPositions},
    {"vit_intern300m_patch14_448", kLarge, 14, kLayerScale | kNoFinalNorm},
    {"test_vit", kTest, 16, kPlain},
    {"test_vit2", kTest2, 16, kGap | kReg1 | kLayerScale | kFcNorm},
};

TimmArguments arguments(const Row& row) {
  const auto has = [&](uint32_t trait) { return (row.traits & trait) != 0; };
  TimmArguments a = row.backbone.with_patches(row.patch_size);
  if (has(kDistilled)) a.timm_class = TimmClass::distilled;
  a.class_token = !has(kNoCls);
  a.reg_tokens = has(kReg4) ? 4 : has(kReg1) ? 1 : 0;
  a.no_embed_class = has(kPatchPositions);
  a.pre_norm = has(kPreNorm);
  a.norm_layer.eps = has(kSmallEps) ? 1e-5 : 1e-6;
  a.qkv_bias = !has(kNoQkvBias);
  a.layer_scale = has(kLayerScale);
  if (has(kSwiglu)) {
    a.mlp_layer = TimmMlp::glu;
    a.act_layer = Activation::silu;
  }
  if (has(kQuickGelu)) a.act_layer = Activation::quick_gelu;
  if (has(kGeluTanh)) a.act_layer = Activation::gelu_tanh;
  a.global_pool = has(kAvg) ? Pooling::avg : has(kMap) ? Pooling::map : Pooling::cls;
  // The mean of normed tokens is an explicit choice.
  if (has(kAvg) && !has(kFcNorm)) a.fc_norm = false;
  a.final_norm = !has(kNoFinalNorm);
  return a;
}

}  // namespace

ArchitectureRows vit_rows() {
  ArchitectureRows rows;
  for (const Row& row : kRows) rows.push_back({row.name, arguments(row)});
  return rows;
}

}  // namespace vit
