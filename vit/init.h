#pragma once

#include <string>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace vit {

/// Fills a parameter of that name as for training: normal of standard deviation 0.02 cut at two of
/// them, zero biases, unit norms, layer scales of 1e-5. Random numbers are drawn in float32 on the
/// CPU, so that a seed means the same weights in every dtype and on every device.
void init_parameter(const std::string& name, at::Tensor parameter, at::Generator& generator);

}  // namespace vit
