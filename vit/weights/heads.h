#pragma once

#include <string>

#include <vit/load_options.h>
#include <vit/weights/state_dict.h>
#include <vit/weights/wrappers.h>

namespace vit {

/// Gives the classifier that a user's code put behind a model the names "head.weight" and
/// "head.bias" among the model's `weights`, which have timm's names: "heads", "fc",
/// "classifier.1", inside the model or beside it. Of several the one of the wanted number of
/// classes is taken. Everything else of this kind is taken out, and returned as a text that names
/// it; warnings go to the options. Throws Error where the file's head cannot be computed (layers
/// with something unknown between them, two heads), unless the options choose a number of classes,
/// replace the head or are lenient.
std::string find_head(StateDict& weights, FoundModel& found, const LoadOptions& options,
                      const std::string& where);

}  // namespace vit
