#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/weights/state_dict.h>

namespace vit {

/// Whether every number of a tensor is finite; true for integers. Reads all of it.
bool is_finite(const at::Tensor& tensor);

/// Names of the tensors that hold NaN or infinity: what a float16 that overflowed leaves, or
/// training that diverged.
std::vector<std::string> not_finite(const StateDict& weights);

}  // namespace vit
