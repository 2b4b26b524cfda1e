#pragma once

#include <functional>
#include <utility>

#include <ATen/core/Tensor.h>

#include <tome/matching.h>

namespace tome::autograd {

using Merged = std::pair<at::Tensor, at::Tensor>;

/// merge_weighted() with a fused backward pass: `forward` computes it without one. float32 or
/// bfloat16 on the CPU, differentiable in x as often as wanted.
Merged merge_weighted(const at::Tensor& x, const Matching& matching, const at::Tensor& size,
                      const std::function<Merged()>& forward);

}  // namespace tome::autograd
