#include <algorithm>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

using enum Normalization;

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
  kBilinear = 1 << 16,
  kSquash = 1 << 17,

  kClip = kPreNorm | kSmallEps,
  kSiglip = kNoCls | kMap,
  kGap = kNoCls | kAvg,
  kRegGap = kNoCls | kAvg | kFcNorm | kPatchPositions,
};

constexpr Backbone kTest{64, 6, 2, 3};
constexpr Backbone kTest2{64, 8, 2, 3};
constexpr Backbone kTiny{192, 12, 3, 4};
constexpr Backbone kXsmall{256, 10, 4, 4};
constexpr Backbone kWee{256, 14, 4, 5};
constexpr Backbone kLittle{320, 14, 5, 5.6};
constexpr Backbone kSmall{384, 12, 6, 4};
constexpr Backbone kSmallDeep{384, 36, 6, 4};
constexpr Backbone kMedium{512, 12, 8, 4};
constexpr Backbone kMediumDeep{512, 20, 8, 4};
constexpr Backbone kBetwixt{640, 12, 10, 4};
constexpr Backbone kBase{768, 12, 12, 4};
constexpr Backbone kBase16Heads{768, 12, 16, 4};
constexpr Backbone kSo150m2{832, 21, 13, 34.0 / 13};
constexpr Backbone kBasePlus{896, 12, 14, 4};
constexpr Backbone kSo150m{896, 18, 14, 2.572};
constexpr Backbone kLarge{1024, 24, 16, 4};
constexpr Backbone kSo400m{1152, 27, 16, 3.7362};
constexpr Backbone kSo400mTips{1152, 27, 16, 4304.0 / 1152};
constexpr Backbone kHuge{1280, 32, 16, 4};
constexpr Backbone kGiant{1408, 40, 16, 48.0 / 11};
constexpr Backbone kGiantSwiglu{1536, 40, 24, 2 * 2.66667};
constexpr Backbone kGiantOpt{1536, 40, 16, 4};
constexpr Backbone kGigantic{1664, 48, 16, 64.0 / 13};

// Where several rows fit the shapes of a bare weights file, the first one wins (infer.cpp).
constexpr Architecture kTable[] = {
    // An image is worth 16x16 words (arXiv 2010.11929) and close relatives.
    {"vit_tiny_patch16_224", kTiny, 16, 224, kPlain, 1000, half, 0.9},
    {"vit_tiny_patch16_384", kTiny, 16, 384, kPlain, 1000, half, 1},
    {"vit_small_patch8_224", kSmall, 8, 224, kPlain, 0, imagenet, 0.9},
    {"vit_small_patch16_224", kSmall, 16, 224, kPlain, 1000, half, 0.9},
    {"vit_small_patch16_36x1_224", kSmallDeep, 16, 224, kLayerScale, 1000, half, 0.9},
    {"vit_small_patch16_384", kSmall, 16, 384, kPlain, 1000, half, 1},
    {"vit_small_patch32_224", kSmall, 32, 224, kPlain, 1000, half, 0.9},
    {"vit_small_patch32_384", kSmall, 32, 384, kPlain, 1000, half, 1},
    {"vit_base_patch8_224", kBase, 8, 224, kPlain, 1000, half, 0.9},
    {"vit_base_patch16_224", kBase, 16, 224, kPlain, 1000, half, 0.9},
    {"vit_base_patch16_224_miil", kBase, 16, 224, kNoQkvBias | kBilinear, 11221, none, 0.875},
    {"vit_base_patch16_384", kBase, 16, 384, kPlain, 1000, half, 1},
    {"vit_base_patch16_plus_240", kBasePlus, 16, 240, kLayerScale, 1000, half, 0.95},
    {"vit_base_patch32_224", kBase, 32, 224, kPlain, 1000, half, 0.9},
    {"vit_base_patch32_384", kBase, 32, 384, kPlain, 1000, half, 1},
    {"vit_base_patch32_plus_256", kBasePlus, 32, 256, kLayerScale, 1000, half, 0.95},
    {"vit_large_patch14_224", kLarge, 14, 224, kPlain, 1000, half, 0.9},
    {"vit_large_patch16_224", kLarge, 16, 224, kPlain, 1000, half, 0.9},
    {"vit_large_patch16_384", kLarge, 16, 384, kPlain, 1000, half, 1},
    {"vit_large_patch32_224", kLarge, 32, 224, kPlain, 0, half, 0.9},
    {"vit_large_patch32_384", kLarge, 32, 384, kPlain, 1000, half, 1},
    {"vit_huge_patch14_224", kHuge, 14, 224, kPlain, 0, half, 0.9},
    {"vit_giant_patch14_224", kGiant, 14, 224, kPlain, 1000, half, 0.9},
    {"vit_gigantic_patch14_224", kGigantic, 14, 224, kPlain, 1000, half, 0.9},
    // DeiT (arXiv 2012.12877).
    {"deit_tiny_distilled_patch16_224", kTiny, 16, 224, kDistilled, 1000, imagenet, 0.9},
    {"deit_tiny_patch16_224", kTiny, 16, 224, kPlain, 1000, imagenet, 0.9},
    {"deit_small_distilled_patch16_224", kSmall, 16, 224, kDistilled, 1000, imagenet, 0.9},
    {"deit_small_patch16_224", kSmall, 16, 224, kPlain, 1000, imagenet, 0.9},
    {"deit_base_distilled_patch16_224", kBase, 16, 224, kDistilled, 1000, imagenet, 0.9},
    {"deit_base_distilled_patch16_384", kBase, 16, 384, kDistilled, 1000, imagenet, 1},
    {"deit_base_patch16_224", kBase, 16, 224, kPlain, 1000, imagenet, 0.9},
    {"deit_base_patch16_384", kBase, 16, 384, kPlain, 1000, imagenet, 1},
    // DeiT III (arXiv 2204.07118).
    {"deit3_small_patch16_224", kSmall, 16, 224, kPatchPositions | kLayerScale, 1000, imagenet,
     0.9},
    {"deit3_small_patch16_384", kSmall, 16, 384, kPatchPositions | kLayerScale, 1000, imagenet, 1},
    {"deit3_medium_patch16_224", kMedium, 16, 224, kPatchPositions | kLayerScale, 1000, imagenet,
     0.9},
    {"deit3_base_patch16_224", kBase, 16, 224, kPatchPositions | kLayerScale, 1000, imagenet, 0.9},
    {"deit3_base_patch16_384", kBase, 16, 384, kPatchPositions | kLayerScale, 1000, imagenet, 1},
    {"deit3_large_patch16_224", kLarge, 16, 224, kPatchPositions | kLayerScale, 1000, imagenet,
     0.9},
    {"deit3_large_patch16_384", kLarge, 16, 384, kPatchPositions | kLayerScale, 1000, imagenet, 1},
    {"deit3_huge_patch14_224", kHuge, 14, 224, kPatchPositions | kLayerScale, 1000, imagenet, 0.9},
    // DINOv2 (arXiv 2304.07193), with registers (arXiv 2309.16588), TIPS (arXiv 2410.16512).
    {"vit_small_patch14_dinov2", kSmall, 14, 518, kLayerScale, 0, imagenet, 1},
    {"vit_small_patch14_reg4_dinov2", kSmall, 14, 518, kReg4 | kPatchPositions | kLayerScale, 0,
     imagenet, 1},
    {"vit_base_patch14_dinov2", kBase, 14, 518, kLayerScale, 0, imagenet, 1},
    {"vit_base_patch14_reg1_tipsv2", kBase, 14, 448, kReg1 | kPatchPositions | kLayerScale, 0, none,
     1},
    {"vit_base_patch14_reg4_dinov2", kBase, 14, 518, kReg4 | kPatchPositions | kLayerScale, 0,
     imagenet, 1},
    {"vit_large_patch14_dinov2", kLarge, 14, 518, kLayerScale, 0, imagenet, 1},
    {"vit_large_patch14_reg1_tipsv2", kLarge, 14, 448, kReg1 | kPatchPositions | kLayerScale, 0,
     none, 1},
    {"vit_large_patch14_reg4_dinov2", kLarge, 14, 518, kReg4 | kPatchPositions | kLayerScale, 0,
     imagenet, 1},
    {"vit_so400m_patch14_reg1_tipsv2", kSo400mTips, 14, 448, kReg1 | kPatchPositions | kLayerScale,
     0, none, 1},
    {"vit_giant_patch14_dinov2", kGiantSwiglu, 14, 518, kLayerScale | kSwiglu, 0, imagenet, 1},
    {"vit_giant_patch14_reg1_tipsv2", kGiantSwiglu, 14, 448,
     kReg1 | kPatchPositions | kLayerScale | kSwiglu, 0, none, 1},
    {"vit_giant_patch14_reg4_dinov2", kGiantSwiglu, 14, 518,
     kReg4 | kPatchPositions | kLayerScale | kSwiglu, 0, imagenet, 1},
    // CLIP image towers (arXiv 2103.00020).
    {"vit_xsmall_patch16_clip_224", kXsmall, 16, 224, kClip, 512, clip, 0.9},
    {"vit_medium_patch16_clip_224", kMedium, 16, 224, kClip, 512, clip, 0.9},
    {"vit_medium_patch32_clip_224", kMedium, 32, 224, kClip, 512, clip, 0.9},
    {"vit_betwixt_patch32_clip_224", kBetwixt, 32, 224, kClip, 512, clip, 0.9},
    {"vit_base_patch16_clip_224", kBase, 16, 224, kClip, 1000, clip, 0.95},
    {"vit_base_patch16_clip_384", kBase, 16, 384, kClip | kSquash, 1000, clip, 1},
    {"vit_base_patch16_clip_quickgelu_224", kBase, 16, 224, kClip | kQuickGelu, 512, clip, 1},
    {"vit_base_patch16_plus_clip_240", kBasePlus, 16, 240, kClip, 640, clip, 1},
    {"vit_base_patch32_clip_224", kBase, 32, 224, kClip, 1000, clip, 0.9},
    {"vit_base_patch32_clip_256", kBase, 32, 256, kClip, 512, clip, 1},
    {"vit_base_patch32_clip_384", kBase, 32, 384, kClip, 1000, clip, 1},
    {"vit_base_patch32_clip_448", kBase, 32, 448, kClip, 1000, clip, 1},
    {"vit_base_patch32_clip_quickgelu_224", kBase, 32, 224, kClip | kQuickGelu, 512, clip, 0.9},
    {"vit_large_patch14_clip_224", kLarge, 14, 224, kClip, 1000, half, 1},
    {"vit_large_patch14_clip_336", kLarge, 14, 336, kClip | kSquash, 1000, half, 1},
    {"vit_large_patch14_clip_quickgelu_224", kLarge, 14, 224, kClip | kQuickGelu, 768, clip, 1},
    {"vit_large_patch14_clip_quickgelu_336", kLarge, 14, 336, kClip | kQuickGelu, 768, clip, 1},
    {"vit_huge_patch14_clip_224", kHuge, 14, 224, kClip, 1000, clip, 1},
    {"vit_huge_patch14_clip_336", kHuge, 14, 336, kClip | kSquash, 1000, clip, 1},
    {"vit_huge_patch14_clip_378", kHuge, 14, 378, kClip, 1024, clip, 1},
    {"vit_huge_patch14_clip_quickgelu_224", kHuge, 14, 224, kClip | kQuickGelu, 1024, clip, 1},
    {"vit_huge_patch14_clip_quickgelu_378", kHuge, 14, 378, kClip | kQuickGelu, 1024, clip, 1},
    {"vit_giant_patch14_clip_224", kGiant, 14, 224, kClip, 1024, clip, 1},
    {"vit_gigantic_patch14_clip_224", kGigantic, 14, 224, kClip, 1280, clip, 1},
    {"vit_gigantic_patch14_clip_378", kGigantic, 14, 378, kClip | kSquash, 1280, clip, 1},
    {"vit_gigantic_patch14_clip_quickgelu_224", kGigantic, 14, 224, kClip | kQuickGelu, 1280, clip,
     1},
    // SigLIP image towers (arXiv 2303.15343), with attention pooling or with the plain mean.
    {"vit_base_patch16_siglip_224", kBase, 16, 224, kSiglip, 0, half, 0.9},
    {"vit_base_patch16_siglip_256", kBase, 16, 256, kSiglip, 0, half, 0.9},
    {"vit_base_patch16_siglip_384", kBase, 16, 384, kSiglip, 0, half, 0.9},
    {"vit_base_patch16_siglip_512", kBase, 16, 512, kSiglip, 0, half, 0.9},
    {"vit_base_patch16_siglip_gap_224", kBase, 16, 224, kGap, 0, half, 0.9},
    {"vit_base_patch16_siglip_gap_256", kBase, 16, 256, kGap, 0, half, 0.9},
    {"vit_base_patch16_siglip_gap_384", kBase, 16, 384, kGap, 0, half, 0.9},
    {"vit_base_patch16_siglip_gap_512", kBase, 16, 512, kGap, 0, half, 0.9},
    {"vit_base_patch32_siglip_256", kBase, 32, 256, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_base_patch32_siglip_gap_256", kBase, 32, 256, kGap | kGeluTanh, 0, half, 0.9},
    {"vit_large_patch16_siglip_256", kLarge, 16, 256, kSiglip, 0, half, 0.9},
    {"vit_large_patch16_siglip_384", kLarge, 16, 384, kSiglip, 0, half, 0.9},
    {"vit_large_patch16_siglip_512", kLarge, 16, 512, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_large_patch16_siglip_gap_256", kLarge, 16, 256, kGap, 0, half, 0.9},
    {"vit_large_patch16_siglip_gap_384", kLarge, 16, 384, kGap, 0, half, 0.9},
    {"vit_large_patch16_siglip_gap_512", kLarge, 16, 512, kGap | kGeluTanh, 0, half, 0.9},
    {"vit_so400m_patch14_siglip_224", kSo400m, 14, 224, kSiglip, 0, half, 0.9},
    {"vit_so400m_patch14_siglip_378", kSo400m, 14, 378, kSiglip, 0, half, 0.9},
    {"vit_so400m_patch14_siglip_384", kSo400m, 14, 384, kSiglip, 0, half, 0.9},
    {"vit_so400m_patch14_siglip_gap_224", kSo400m, 14, 224, kGap, 0, half, 0.9},
    {"vit_so400m_patch14_siglip_gap_378", kSo400m, 14, 378, kGap, 0, half, 0.9},
    {"vit_so400m_patch14_siglip_gap_384", kSo400m, 14, 384, kGap, 0, half, 1},
    {"vit_so400m_patch14_siglip_gap_448", kSo400m, 14, 448, kGap, 0, half, 1},
    {"vit_so400m_patch14_siglip_gap_896", kSo400m, 14, 896, kGap, 0, half, 1},
    {"vit_so400m_patch16_siglip_256", kSo400m, 16, 256, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_so400m_patch16_siglip_384", kSo400m, 16, 384, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_so400m_patch16_siglip_512", kSo400m, 16, 512, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_so400m_patch16_siglip_gap_256", kSo400m, 16, 256, kGap | kGeluTanh, 0, half, 0.9},
    {"vit_so400m_patch16_siglip_gap_384", kSo400m, 16, 384, kGap | kGeluTanh, 0, half, 0.9},
    {"vit_so400m_patch16_siglip_gap_512", kSo400m, 16, 512, kGap | kGeluTanh, 0, half, 0.9},
    {"vit_giantopt_patch16_siglip_256", kGiantOpt, 16, 256, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_giantopt_patch16_siglip_384", kGiantOpt, 16, 384, kSiglip | kGeluTanh, 0, half, 0.9},
    {"vit_giantopt_patch16_siglip_gap_256", kGiantOpt, 16, 256, kGap | kGeluTanh, 0, half, 0.9},
    {"vit_giantopt_patch16_siglip_gap_384", kGiantOpt, 16, 384, kGap | kGeluTanh, 0, half, 0.9},
    // No class token; registers; I-JEPA (arXiv 2301.08243).
    {"vit_wee_patch16_reg1_gap_256", kWee, 16, 256, kRegGap | kReg1 | kLayerScale, 1000, half,
     0.95},
    {"vit_little_patch16_reg1_gap_256", kLittle, 16, 256, kRegGap | kReg1 | kLayerScale, 1000, half,
     0.95},
    {"vit_little_patch16_reg4_gap_256", kLittle, 16, 256, kRegGap | kReg4 | kLayerScale, 1000, half,
     0.95},
    {"vit_medium_patch16_reg1_gap_256", kMedium, 16, 256, kRegGap | kReg1 | kLayerScale, 1000, half,
     0.95},
    {"vit_medium_patch16_reg4_gap_256", kMedium, 16, 256, kRegGap | kReg4 | kLayerScale, 1000, half,
     0.95},
    {"vit_medium_patch16_gap_240", kMedium, 16, 240, kGap | kNoQkvBias | kLayerScale, 11821, half,
     0.95},
    {"vit_medium_patch16_gap_256", kMedium, 16, 256, kGap | kNoQkvBias | kLayerScale, 1000, half,
     0.95},
    {"vit_medium_patch16_gap_384", kMedium, 16, 384, kGap | kNoQkvBias | kLayerScale | kSquash,
     1000, half, 0.95},
    {"vit_mediumd_patch16_reg4_gap_256", kMediumDeep, 16, 256, kRegGap | kReg4 | kLayerScale, 1000,
     half, 0.95},
    {"vit_mediumd_patch16_reg4_gap_384", kMediumDeep, 16, 384, kRegGap | kReg4 | kLayerScale, 1000,
     half, 1},
    {"vit_betwixt_patch16_reg1_gap_256", kBetwixt, 16, 256, kRegGap | kReg1 | kLayerScale, 1000,
     half, 0.95},
    {"vit_betwixt_patch16_reg4_gap_256", kBetwixt, 16, 256, kRegGap | kReg4 | kLayerScale, 1000,
     half, 0.95},
    {"vit_betwixt_patch16_reg4_gap_384", kBetwixt, 16, 384, kRegGap | kReg4 | kLayerScale, 1000,
     half, 1},
    {"vit_betwixt_patch16_gap_256", kBetwixt, 16, 256, kGap | kNoQkvBias | kLayerScale, 1000, half,
     0.95},
    {"vit_base_patch16_reg4_gap_256", kBase, 16, 256, kRegGap | kReg4, 1000, half, 0.9},
    {"vit_base_patch16_gap_224", kBase16Heads, 16, 224, kGap, 1000, half, 0.9},
    {"vit_so150m_patch16_reg4_map_256", kSo150m, 16, 256, kSiglip | kReg4, 1000, half, 0.9},
    {"vit_so150m_patch16_reg4_gap_256", kSo150m, 16, 256, kGap | kReg4, 1000, half, 0.95},
    {"vit_so150m_patch16_reg4_gap_384", kSo150m, 16, 384, kGap | kReg4, 1000, half, 1},
    {"vit_huge_patch14_gap_224", kHuge, 14, 224, kGap, 0, imagenet, 0.9},
    {"vit_huge_patch16_gap_448", kHuge, 16, 448, kGap, 0, imagenet, 1},
    {"vit_giant_patch16_gap_224", kGiant, 16, 224, kGap, 0, imagenet, 0.9},
    {"vit_so150m2_patch16_reg1_gap_256", kSo150m2, 16, 256,
     kGap | kReg1 | kNoQkvBias | kLayerScale | kFcNorm, 1000, half, 1},
    {"vit_so150m2_patch16_reg1_gap_384", kSo150m2, 16, 384,
     kGap | kReg1 | kNoQkvBias | kLayerScale | kFcNorm, 1000, half, 1},
    {"vit_so150m2_patch16_reg1_gap_448", kSo150m2, 16, 448,
     kGap | kReg1 | kNoQkvBias | kLayerScale | kFcNorm | kSquash, 1000, half, 1},
    // Others.
    {"flexivit_small", kSmall, 16, 240, kPatchPositions, 1000, half, 0.95},
    {"flexivit_base", kBase, 16, 240, kPatchPositions, 1000, half, 0.95},
    {"eva_large_patch14_196", kLarge, 14, 196, kAvg | kFcNorm, 1000, clip, 1},
    {"eva_large_patch14_336", kLarge, 14, 336, kAvg | kFcNorm | kSquash, 1000, clip, 1},
    {"flexivit_large", kLarge, 16, 240, kPatchPositions, 1000, half, 0.95},
    {"vit_intern300m_patch14_448", kLarge, 14, 448, kLayerScale | kNoFinalNorm, 0, imagenet, 1},
    {"test_vit", kTest, 16, 160, kPlain, 1000, half, 0.95},
    {"test_vit2", kTest2, 16, 160, kGap | kReg1 | kLayerScale | kFcNorm, 1000, half, 0.95},
};

/// Weights of timm's: what they want where it is not what the architecture's usual ones want.
struct ArchitectureTag {
  const char* architecture;
  const char* tag;
  int32_t num_classes;
  Normalization normalization;
  double crop_pct;
  uint32_t traits;  ///< of the preprocessing
};

/// A name that timm had and what it is now.
struct OldName {
  const char* old;
  const char* now;
};

#include <vit/architecture_tags.inc>

void normalize(PicturePreprocessing& preprocessing, Normalization normalization) {
  switch (normalization) {
    case half:
      preprocessing.mean = preprocessing.std = {0.5, 0.5, 0.5};
      break;
    case imagenet:
      preprocessing.mean = {0.485, 0.456, 0.406};
      preprocessing.std = {0.229, 0.224, 0.225};
      break;
    case clip:
      preprocessing.mean = {0.48145466, 0.4578275, 0.40821073};
      preprocessing.std = {0.26862954, 0.26130258, 0.27577711};
      break;
    case none:
      preprocessing.mean = {0, 0, 0};
      preprocessing.std = {1, 1, 1};
      break;
  }
}

}  // namespace

std::span<const Architecture> architecture_table() { return kTable; }

int64_t mlp_hidden_dim(int64_t embed_dim, double mlp_ratio, MlpKind kind) {
  const auto rows = static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio);
  return rows / MlpConfig{.kind = kind}.gates();
}

ModelConfig Architecture::config() const {
  const auto has = [this](uint32_t trait) { return (traits & trait) != 0; };
  ModelConfig config;
  VitConfig& c = config.vit;
  c.architecture = name;
  c.family = family_of_architecture(name);
  c.set_image_size({image_size, image_size});
  c.patch.set_size({patch_size, patch_size});
  c.depth = backbone.depth;
  c.prefix.cls_tokens = !has(kNoCls);
  c.prefix.dist_token = has(kDistilled);
  c.prefix.reg_tokens = has(kReg4) ? 4 : has(kReg1) ? 1 : 0;
  c.positions.covers_prefix = !has(kPatchPositions);
  c.pre_norm = has(kPreNorm);
  c.patch.bias = !c.pre_norm;

  BlockConfig& block = c.block;
  block.dim = backbone.embed_dim;
  block.attention.num_heads = backbone.num_heads;
  block.attention.set_qkv_bias(!has(kNoQkvBias));
  block.norm.eps = has(kSmallEps) ? 1e-5 : 1e-6;
  block.layer_scale = has(kLayerScale);
  block.mlp.kind = has(kSwiglu) ? MlpKind::swiglu_packed : MlpKind::plain;
  block.mlp.hidden_dim = vit::mlp_hidden_dim(block.dim, backbone.mlp_ratio, block.mlp.kind);
  block.mlp.activation = has(kQuickGelu)  ? Activation::quick_gelu
                         : has(kGeluTanh) ? Activation::gelu_tanh
                                          : Activation::gelu;

  c.head.num_classes = num_classes;
  c.head.pooling = has(kAvg) ? Pooling::avg : has(kMap) ? Pooling::map : Pooling::cls;
  c.head.norm_before = !has(kNoFinalNorm) && !has(kFcNorm);
  c.head.norm_after = has(kFcNorm);
  c.head.token_heads = has(kDistilled) ? 2 : 1;

  // The files of SigLIP models without attention pooling are those of the models with it.
  if (std::string_view(name).find("siglip") != std::string_view::npos)
    config.unread_tensors = {"attn_pool."};

  PicturePreprocessing& preprocessing = c.picture();
  preprocessing.interpolation = has(kBilinear) ? Interpolation::bilinear : Interpolation::bicubic;
  preprocessing.crop_pct = crop_pct;
  preprocessing.crop_mode = has(kSquash) ? CropMode::squash : CropMode::center;
  normalize(preprocessing, normalization);
  return config;
}

std::string current_name(const std::string& name) {
  const auto known = std::ranges::find(kOldNames, std::string_view(name), &OldName::old);
  return known == std::ranges::end(kOldNames) ? name : known->now;
}

Architecture find_tagged_architecture(const std::string& name) {
  Architecture row = find_architecture(name);
  const std::string full = current_name(name);
  const auto dot = full.find('.');
  if (dot == full.npos) return row;
  const std::string_view tag = std::string_view(full).substr(dot + 1);
  std::string known;
  for (const ArchitectureTag& one : kTags) {
    if (std::string_view(one.architecture) != row.name) continue;
    if (tag == one.tag) {
      constexpr uint32_t kOfPreprocessing = kBilinear | kSquash;
      row.num_classes = one.num_classes;
      row.normalization = one.normalization;
      row.crop_pct = one.crop_pct;
      row.traits = (row.traits & ~kOfPreprocessing) | one.traits;
      return row;
    }
    known.append(known.empty() ? "" : ", ").append(one.tag);
  }
  fail("unknown tag \"", shortened(std::string(tag)), "\" of the architecture ", row.name, "; ",
       known.empty() ? std::string("it has none") : "known are " + known);
}

}  // namespace vit
