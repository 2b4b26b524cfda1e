#pragma once

#include <string>
#include <vector>

#include <vit/config.h>

namespace vit {

/// Config of a timm architecture name such as "vit_base_patch16_224" or
/// "deit_small_distilled_patch16_224" (a ".tag" after the name is ignored), with the
/// preprocessing that timm gives it. Throws Error that names close matches if it is unknown.
ModelConfig architecture(const std::string& name);

/// All names that architecture() knows.
std::vector<std::string> architecture_names();

}  // namespace vit
