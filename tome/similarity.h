#pragma once

#include <ATen/core/Tensor.h>

namespace tome {

/// Rows of `metric` [..., d] divided by their L2 norm, in float32 at least, so that merging decides
/// alike in every precision of the model. Zero rows stay zero.
at::Tensor normalized(const at::Tensor& metric);

}  // namespace tome
