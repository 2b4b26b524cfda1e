#pragma once

#include <ATen/core/Tensor.h>

#include <vit/kernels/simd.h>
#include <vit/rotary.h>

namespace vit::training {

/// What simd::Rotation has of each token.
struct RotationTables {
  at::Tensor table;  ///< [1 or B, 1 or heads, N, rows, padded angles] float32, contiguous
  simd::RotatedPairs pairs;
  int64_t angles;
};

/// For heads of `head_dim` channels.
RotationTables rotation_tables(const RotaryAngles& angles, int64_t head_dim);

/// The table of the backward pass: what it does to pairs is the transpose of what `table` does.
at::Tensor backward_table(const at::Tensor& table);

}  // namespace vit::training
