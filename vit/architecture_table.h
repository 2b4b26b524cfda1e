#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <vit/config.h>
#include <vit/timm_arguments.h>

namespace vit {

/// Means and standard deviations that inputs are normalised with.
enum class Normalization : uint8_t { half, imagenet, clip, none, satellite };

/// Weights of timm's: what they were trained on and want.
struct PretrainedWeights {
  const char* architecture;
  const char* tag;  ///< what follows the name of the architecture; may be empty
  int32_t num_classes;
  int16_t height;  ///< pixels of a picture
  int16_t width;
  Normalization normalization;
  double crop_pct;
  bool bilinear;  ///< else bicubic
  bool squash;
};

/// One of timm's architectures, with the classes and preprocessing of some weights of it.
struct Architecture {
  const char* name;
  TimmArguments arguments;    ///< of the size and classes that `weights` says
  PretrainedWeights weights;  ///< those that timm takes by default

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

}  // namespace vit
