#pragma once

#include <string>

#include <vit/config.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Compares what config and weights say of depth, width, patches, classes, tokens and the number of
/// parameters, before anything of the size that the config claims exists. Throws Error that names
/// both values, and the tensor as among `stored`, the weights under the names of their file.
void check_config_fits(const VitConfig& config, const StateDict& weights, const StateDict& stored,
                       const std::string& where);

/// Size of the images that the weights' position table was made for: the config's own, the one that
/// is `wanted`, or a square one. Throws Error if the table fits none of them.
Size2d image_size_of_weights(const VitConfig& config, Size2d wanted, const StateDict& weights,
                             const std::string& where);

/// Throws Error if the positions of an image size that nothing but the config asks for would be out
/// of all proportion to the weights. `config` has the image size of the weights.
void check_positions(const VitConfig& config, Size2d wanted, const StateDict& weights,
                     const std::string& where);

}  // namespace vit
