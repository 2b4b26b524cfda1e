#pragma once

#include <vit/config.h>
#include <vit/weights/json.h>

namespace vit {

/// A config.json with "library": "torchvision" beside weights of torchvision's VisionTransformer,
/// which has no config file of its own: "model_args" are the constructor's arguments.
ModelConfig read_torchvision_config(const JsonNode& root);

}  // namespace vit
