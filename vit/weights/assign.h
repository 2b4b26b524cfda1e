#pragma once

#include <string>
#include <vector>

#include <vit/load_options.h>
#include <vit/vision_transformer.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Makes the weights the model's parameters: in place where dtype and device are those that the
/// options ask for, converted otherwise, each given up as soon as it is. With `new_head` those of
/// the head are initialised. Tensors whose names start with one of `unread_tensors` may be left
/// over. Throws Error that lists missing, unexpected and mis-shaped tensors.
void assign_weights(VisionTransformerImpl& model, StateDict weights,
                    const std::vector<std::string>& unread_tensors, bool new_head,
                    const LoadOptions& options, const std::string& where);

}  // namespace vit
