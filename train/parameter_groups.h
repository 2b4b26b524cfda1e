#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/vision_transformer.h>

namespace train {

/// Parameters that are trained alike.
struct ParameterGroup {
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters;
  double weight_decay = 0;
  double rate = 1;  ///< factor on the learning rate
};

/// The depth at which a parameter works: 0 for the embedding, i + 1 for block i, blocks + 1 for
/// what comes after them.
int64_t layer_of(const std::string& name, int64_t blocks);

/// The parameters that want a gradient. Norms, biases, scales, positions and the tokens of the
/// model itself do not decay. The learning rate falls by the factor `layer_decay` from each layer
/// to the one before it (arXiv 1906.08237); 1 is the same for all.
std::vector<ParameterGroup> parameter_groups(const vit::VisionTransformer& model,
                                             double weight_decay, double layer_decay);

/// Lets the first `blocks` blocks and all before them stay as they are: they want no gradient. All
/// other parameters want one.
void freeze_blocks(vit::VisionTransformer& model, int64_t blocks);

/// Lets everything but the head stay as it is (a linear probe).
void freeze_backbone(vit::VisionTransformer& model);

}  // namespace train
