#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include <vit/kernels/packed_linear.h>

namespace vit::kernels {

/// Projects normalized rows to the metric of merging: the mean of the keys over heads.
///
/// Merging compares keys that differ little, so rounded ones would decide otherwise. Where the
/// other layers multiply bfloat16, this one does too, as matrix units leave float32 far behind, but
/// takes each number as the sum of two, itself rounded and the rest rounded: 16 bits instead of 8.
/// What the two rests give together is left out.
class MetricLinear {
 public:
  /// `weight` [head_dim, dim], `bias` [head_dim] or undefined; `math` is fp32 or bf16.
  MetricLinear(const at::Tensor& weight, const at::Tensor& bias, Math math);

  /// `rows` rows of an operand, and their rests for bf16, -> `out`, rows `out_ld` apart. `tile` is
  /// scratch of kTileRows x kBlockColumns.
  void project(const Operand& operand, const Operand& rest, int64_t rows, float* tile, float* out,
               int64_t out_ld) const;

 private:
  PackedLinear linear_;
  std::optional<PackedLinear> rest_;
};

}  // namespace vit::kernels
