#pragma once

#include <string>

#include <vit/weights/state_dict.h>

namespace vit {

/// Throws Error if tensors are, by their names, those of a model that this library does not
/// compute, and says which kind it looks like. `stored` are the names of the file, `weights` those
/// in timm's names, `where` is the file. Weights of no known kind pass: what they lack is told when
/// they are compared with a model.
void refuse_other_models(const StateDict& stored, const StateDict& weights,
                         const std::string& where);

}  // namespace vit
