#pragma once

#include <utility>

#include <tome/matching.h>
#include <tome/merge.h>

// The operators composed of ATen's own: any device and dtype, differentiable. They are what the
// fused kernels are tested against, and what runs where no kernel fits.

namespace tome::reference {

Matching bipartite_soft_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens);

at::Tensor merge(const at::Tensor& x, const Matching& matching, Reduction reduction);

std::pair<at::Tensor, at::Tensor> merge_weighted(const at::Tensor& x, const Matching& matching,
                                                 const at::Tensor& size);

}  // namespace tome::reference
