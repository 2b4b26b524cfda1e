#pragma once

#include <string>

#include <apps/train/checkpoint.h>
#include <vit/vision_transformer.h>

namespace train {

/// A README.md for a trained model: what it is, what it knows, how it was trained, how well it
/// does. `validated`: the scores are those of a validation.
std::string model_card(const std::string& name, const vit::VisionTransformer& model,
                       const Progress& progress, const nlohmann::ordered_json& settings,
                       const std::string& data, const std::string& command, bool validated);

}  // namespace train
