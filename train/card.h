#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include <train/progress.h>
#include <vit/vision_transformer.h>

namespace train {

struct CardNotes {
  std::string data;     ///< what the model learned from
  std::string command;  ///< that trained it
  std::string score;    ///< "top-1" or "mAP" if there was a validation, else empty
};

/// A README.md for a trained model: what it is, what it knows, how it was trained, how well it
/// does. `validated`: the scores are those of a validation.
std::string model_card(const std::string& name, const vit::VisionTransformer& model,
                       const Progress& progress, const nlohmann::ordered_json& settings,
                       const CardNotes& notes);

}  // namespace train
