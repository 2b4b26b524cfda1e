#pragma once

#include <string>

#include <vit/weights/state_dict.h>

namespace vit {

/// Whether the names, with slashes, are those of google-research/vision_transformer or big_vision
/// (AugReg, arXiv 2106.10270), alone or within a training state.
bool is_flax(const StateDict& weights);

/// Renames and transposes such weights into timm's layout. What has no counterpart keeps its name,
/// so that it is reported and not lost. Throws Error naming the file (`where`) if parts are
/// missing.
StateDict flax_to_timm(const StateDict& weights, const std::string& where);

}  // namespace vit
