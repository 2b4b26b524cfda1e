#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace vit::merging {

/// The indices of a BatchGroups in which every token is in a row and every row stands at a token.
struct Partition {
  at::Tensor keep;     ///< [B, rows] int64
  at::Tensor removed;  ///< [B, count] int64
  at::Tensor into;     ///< [B, count] int64
};

/// Gives every position the row that its token went into: [B, rows, C] -> [B, N, C].
/// Differentiable.
at::Tensor unmerge(const at::Tensor& x, const Partition& partition);

/// Whether weighted_merge() can: `x` on the CPU, in float32 or bfloat16, no gradient for `size`,
/// and all tokens of x in the partition where x wants a gradient.
bool weighted_merge_fits(const at::Tensor& x, const Partition& partition, const at::Tensor& size);

/// Merges `x` [B, N, C] weighted by `size` [B, N] (undefined for all ones) in one pass over memory:
/// the weighted mean of each group, and the sum of its sizes [B, rows] in float32. Differentiable
/// in x as often as wanted, with a fused backward pass. Does not check the indices.
std::pair<at::Tensor, at::Tensor> weighted_merge(const at::Tensor& x, const Partition& partition,
                                                 const at::Tensor& size);

}  // namespace vit::merging
