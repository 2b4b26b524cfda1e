#pragma once

#include <vit/config.h>
#include <vit/weights/json.h>

namespace vit {

/// The config.json that timm writes for its models, `root` being the whole document.
ModelConfig read_timm_config(const JsonNode& root);

}  // namespace vit
