#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace vit {

/// Fixed sinusoids of one axis (arXiv 1706.03762) -> [1, length, dim] float32. Entry (p, j) is
/// sin(p / 10000^(2 floor(j/2) / dim)) for even j and the cosine of the same for odd j, as
/// VideoMAE has it. `dim` is even.
at::Tensor sincos_positions_1d(int64_t length, int64_t dim);

/// Fixed sinusoids of two axes -> [1, height * width, dim] float32, row by row, as MAE (arXiv
/// 2111.06377) has them: the first half encodes the column, the second the row; each half is all
/// sines, then all cosines. `dim` is a multiple of 4.
at::Tensor sincos_positions_2d(Size2d grid, int64_t dim);

/// Fixed sinusoids of three axes -> [1, frames * rows * columns, dim] float32, frame by frame and
/// row by row, as V-JEPA (arXiv 2404.08471) has them: half of the channels encode the frame, a
/// quarter the row, a quarter the column; each part is all sines, then all cosines. `dim` is a
/// multiple of 8.
at::Tensor sincos_positions_3d(Extent grid, int64_t dim);

/// Resamples the grid part of a position table [1, prefix + from.count(), D] to another grid of
/// as many frames; the `prefix` entries are copied.
at::Tensor resample_positions(const at::Tensor& table, int64_t prefix, Extent from, Extent to,
                              Resampling resampling = Resampling::bicubic_antialias);

}  // namespace vit
