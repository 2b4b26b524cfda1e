#pragma once

#include <vit/config.h>
#include <vit/timm_arguments.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// The inverse of timm_names(): the weights of a model as the class of timm's has them that
/// `arguments` are of. What that class has no place for keeps its name, and timm_names() reads it
/// back all the same.
StateDict timm_state_dict(const StateDict& weights, const VitConfig& config,
                          const TimmArguments& arguments);

}  // namespace vit
