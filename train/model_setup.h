#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <vit/vision_transformer.h>
#include <vit/weights/state_dict.h>

namespace train {

/// A model with random weights: timm's name of an architecture and what differs from it, written as
/// timm's keyword arguments ("img_size=32 patch_size=4 depth=9"; values are JSON, bare words
/// are text). It sees whole pictures: crop_pct is 1. Throws base::Error naming the argument, or the
/// class whose name is not UTF-8.
vit::VisionTransformer random_model(const std::string& architecture, const std::string& model_args,
                                    const std::vector<std::string>& class_names, uint64_t seed);

/// `model` for other classes: a new head with random weights unless its labels are the same and in
/// the same order. Shares the other parameters. Throws base::Error like random_model().
vit::VisionTransformer with_classes(const vit::VisionTransformer& model,
                                    const std::vector<std::string>& class_names, uint64_t seed);

/// A model of the same kind in eval mode, of that dtype, with parameters of its own.
vit::VisionTransformer empty_copy(const vit::VisionTransformer& model, at::ScalarType dtype);

/// Copies weights, by name and converted, into the parameters of a model.
void copy_weights(const vit::StateDict& weights, vit::VisionTransformer& model);

/// The parameters of a model by name; the tensors themselves.
vit::StateDict weights_of(const vit::VisionTransformer& model);

}  // namespace train
