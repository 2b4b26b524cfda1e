#pragma once

#include <ATen/core/Tensor.h>

namespace vit::kernels {

/// The numbers of a contiguous float32 tensor; null if it is undefined.
inline const float* float_data(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr<float>() : nullptr;
}

}  // namespace vit::kernels
