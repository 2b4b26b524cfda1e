#pragma once

#include <string>

#include <vit/config.h>

namespace vit {

/// The config.json of a model as timm writes it and read_config() reads it back exactly. What timm
/// has no word for stands under "vitome", how logits become scores as "problem_type".
std::string timm_config_text(const ModelConfig& config);

/// Why timm cannot build such a model; empty if it can.
std::string timm_obstacle(const VitConfig& config);

}  // namespace vit
