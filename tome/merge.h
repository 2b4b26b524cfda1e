#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <ATen/core/Tensor.h>

#include <tome/matching.h>

namespace tome {

enum class Reduction { mean, sum, max };

/// Merges `x` [B, N, C] into [B, rows, C]: the plain mean, sum or maximum of each group.
/// Differentiable.
at::Tensor merge(const at::Tensor& x, const Matching& matching,
                 Reduction reduction = Reduction::mean);

/// Merges `x` [B, N, C] weighted by `size` [B, N] (undefined for all ones): the weighted mean of
/// each group, and the sum of its sizes [B, rows] in float32. Differentiable in x.
std::pair<at::Tensor, at::Tensor> merge_weighted(const at::Tensor& x, const Matching& matching,
                                                 const at::Tensor& size);

/// Tracks which input tokens [B, N, N0] went into which rows -> [B, rows, N0] of 0 and 1.
at::Tensor merge_source(const at::Tensor& source, const Matching& matching);

/// Gives every position the row that its token went into: [B, rows, C] -> [B, N, C].
/// Differentiable.
at::Tensor unmerge(const at::Tensor& x, const Matching& matching);

}  // namespace tome
