#pragma once

#include <vector>

#include <vit/timm_arguments.h>

// timm's architectures, a family a file: what its constructors are given where it is not the
// default. Where several fit the shapes of a bare weights file, the first one wins (infer.cpp).

namespace vit {

struct ArchitectureRow {
  const char* name;
  TimmArguments arguments;
};
using ArchitectureRows = std::vector<ArchitectureRow>;

ArchitectureRows vit_rows();
ArchitectureRows vit_variant_rows();
ArchitectureRows eva_rows();
ArchitectureRows dinov3_rows();
ArchitectureRows perception_encoder_rows();
ArchitectureRows rope_vit_rows();
ArchitectureRows beit_rows();
ArchitectureRows relpos_rows();
ArchitectureRows naflex_rows();

/// Width, depth, heads and hidden channels of the MLP per channel.
struct Backbone {
  int64_t embed_dim;
  int64_t depth;
  int64_t num_heads;
  double mlp_ratio = 4;

  /// In square patches of so many pixels.
  TimmArguments with_patches(int64_t side) const {
    return {.patch_size = {side, side},
            .embed_dim = embed_dim,
            .depth = depth,
            .num_heads = num_heads,
            .mlp_ratio = mlp_ratio};
  }
};

inline constexpr Backbone kTiny{192, 12, 3};
inline constexpr Backbone kSmall{384, 12, 6};
inline constexpr Backbone kMedium{512, 12, 8};
inline constexpr Backbone kMediumDeep{512, 20, 8};
inline constexpr Backbone kBetwixt{640, 12, 10};
inline constexpr Backbone kBase{768, 12, 12};
inline constexpr Backbone kBasePlus{896, 12, 14};
inline constexpr Backbone kSo150m2{832, 21, 13, 34.0 / 13};
inline constexpr Backbone kLarge{1024, 24, 16};
inline constexpr Backbone kSo400m{1152, 27, 16, 3.7362};
inline constexpr Backbone kSo400mRadio{1152, 27, 16, 4304.0 / 1152};
inline constexpr Backbone kHuge{1280, 32, 16};
inline constexpr Backbone kGiant{1408, 40, 16, 48.0 / 11};

}  // namespace vit
