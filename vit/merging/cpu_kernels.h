#pragma once

#include <ATen/core/Tensor.h>

namespace vit::merging {

/// Whether a fused CPU kernel may run on `x`: on the CPU, float32 or bfloat16.
bool cpu_kernel_fits(const at::Tensor& x);

}  // namespace vit::merging
