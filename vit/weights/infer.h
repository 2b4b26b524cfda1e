#pragma once

#include <string>

#include <vit/config.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Architecture of a checkpoint in timm's key names, from names and shapes alone. What shapes do not
/// show gets timm's usual value: heads of 64 channels, square images, eps 1e-6. `where` names the
/// file in errors. Throws Error if the weights are no Vision Transformer.
ModelConfig infer_config(const StateDict& weights, const std::string& where);

}  // namespace vit
