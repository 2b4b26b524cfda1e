#pragma once

#include <vit/weights/state_dict.h>

namespace vit {

/// Takes the prefixes off all names that DistributedDataParallel ("module."), torch.compile
/// ("_orig_mod."), Lightning modules ("model.") and training code ("backbone.") put there, in any
/// order.
StateDict without_wrapper_prefixes(StateDict weights);

}  // namespace vit
