#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <vit/config.h>

namespace vit {

/// Width, depth, heads and hidden channels of the MLP per channel.
struct Backbone {
  int32_t embed_dim;
  int32_t depth;
  int32_t num_heads;
  double mlp_ratio;
};

/// Means and standard deviations that inputs are normalised with.
enum class Normalization : uint8_t { half, imagenet, clip, none };

/// One row of the table of timm's architectures.
struct Architecture {
  const char* name;
  Backbone backbone;
  int16_t patch_size;   ///< pixels, square
  int16_t image_size;   ///< pixels, square
  uint32_t traits;      ///< what sets it apart from a plain ViT
  int32_t num_classes;  ///< of the weights that timm takes by default
  Normalization normalization;
  double crop_pct;

  ModelConfig config() const;
};

std::span<const Architecture> architecture_table();

/// The row of a name, also of one that earlier versions of timm had; a ".tag" behind it is ignored.
/// Throws Error as architecture() does.
const Architecture& find_architecture(const std::string& name);

/// The same with the classes and preprocessing of the weights that a ".tag" names. Throws Error for
/// a tag that timm does not know.
Architecture find_tagged_architecture(const std::string& name);

/// What timm calls a name of earlier versions now; the name itself if it never had another.
std::string current_name(const std::string& name);

/// "mae", "dino", … where the tag of a plain ViT says how it was trained, null elsewhere.
const char* family_of_tag(std::string_view tag);

/// "deit", "dinov2", "clip", … by the name of an architecture, "vit" for all that have no name of
/// their own.
std::string family_of_architecture(std::string_view name);

/// Hidden channels of an MLP, as columns of fc2: timm counts both halves of a packed SwiGLU.
int64_t mlp_hidden_dim(int64_t embed_dim, double mlp_ratio, MlpKind kind);

}  // namespace vit
