#pragma once

#include <ATen/core/Tensor.h>

#include <vit/extent.h>

namespace vit {

/// A table of relative position biases [entries, heads] for a grid of patches `from` -> that for a
/// grid `to`, as timm does it: the displacements that the table knows are laid out over those of
/// the new grid, each farther from the next by a constant factor the farther they are from 0, and
/// the biases between them are linear in rows and columns. Entries behind those of the
/// displacements (of a class token) stay. Computed in float32, the result has the table's dtype.
/// Throws Error if the table is not of the grid `from`.
at::Tensor resample_relative_bias(const at::Tensor& table, Size2d from, Size2d to);

}  // namespace vit
