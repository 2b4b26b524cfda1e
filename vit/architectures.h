#pragma once

#include <string>
#include <vector>

#include <vit/config.h>

namespace vit {

/// Config of a timm architecture name such as "vit_base_patch16_224" or
/// "deit_small_distilled_patch16_224", also with the ".tag" of some of its weights, which has
/// preprocessing and classes of its own: "vit_small_patch16_224.dino". Throws Error that names
/// close matches if it is unknown.
ModelConfig architecture(const std::string& name);

/// All names that architecture() knows.
std::vector<std::string> architecture_names();

}  // namespace vit
