#pragma once

#include <vit/architecture_table.h>
#include <vit/config.h>

namespace vit {

/// What timm makes a model of: an architecture, and the arguments that say the rest.
struct TimmModel {
  const Architecture* base;
  TimmArguments arguments;
  bool exact;  ///< timm builds the same model of them; else one as near as there is
};

/// Its own architecture where that can be, else the first that can. This is what a config.json says
/// of the model, and so what the names of its tensors follow.
TimmModel timm_model_of(const VitConfig& config);

}  // namespace vit
