#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <vit/vision_transformer.h>
#include <vit/weights/state_dict.h>

namespace train {

/// Positions of the patches of a model that is trained from random weights.
enum class Positions {
  learned,       ///< a table that is added to the tokens
  sincos,        ///< two-dimensional sinusoids that are added to them
  rotary,        ///< queries and keys are rotated by row and column (arXiv 2403.13298, axial)
  rotary_mixed,  ///< the same by learned combinations of both, each head's its own
  none,
};

/// What a model may differ in from its architecture, whatever library has such models.
struct ModelChanges {
  std::optional<Positions> positions = {};
  std::optional<vit::MlpKind> mlp = {};  ///< with about as many parameters
  std::optional<vit::NormKind> norm = {};
  std::optional<int64_t> registers = {};  ///< tokens
};

/// A model with random weights: timm's name of an architecture and what differs from it, written as
/// timm's keyword arguments ("img_size=32 patch_size=4 depth=9"; values are JSON, bare words
/// are text), and then `changes`. It sees whole pictures: crop_pct is 1. Throws base::Error naming
/// the argument, the class whose name is not UTF-8, or what does not go together.
vit::VisionTransformer random_model(const std::string& architecture, const std::string& model_args,
                                    const std::vector<std::string>& class_names, uint64_t seed,
                                    const ModelChanges& changes = {});

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
