#pragma once

#include <vit/config.h>
#include <vit/weights/json.h>

namespace vit {

/// The vision tower that the open_clip_config.json of an OpenCLIP checkpoint describes, whether
/// OpenCLIP's own or one of timm's.
ModelConfig read_open_clip_config(const JsonNode& root);

}  // namespace vit
