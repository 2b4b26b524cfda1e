#pragma once

#include <functional>
#include <optional>
#include <string>

#include <vit/config.h>
#include <vit/load_options.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Weights and config that have been found to fit each other.
struct Checkpoint {
  StateDict weights;      ///< in timm's names
  ModelConfig config;     ///< of the image size that the position table was made for
  Size2d image_size;      ///< the one that is wanted
  bool new_head = false;  ///< the weights of the head are not there and are to be initialised
};

/// The config that comes with weights of a layout, if there is one.
using ConfigOf = std::function<std::optional<ModelConfig>(const Layout& layout)>;

/// Makes a checkpoint of the tensors of a file: finds out whose names they have and gives them
/// timm's, and takes the config from the architecture that the options name, else from `config_of`,
/// else from the shapes. Nothing of a size that the config alone claims is allocated. `where` names
/// the file in errors. Throws Error where the two contradict each other.
Checkpoint resolve_checkpoint(StateDict stored, const ConfigOf& config_of,
                              const LoadOptions& options, const std::string& where);

}  // namespace vit
