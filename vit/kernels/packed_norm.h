#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/kernels/float_data.h>
#include <vit/kernels/kernel_block.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

/// The weights of a norm in float32, padded to a multiple of simd::kPad.
struct PackedNorm {
  at::Tensor weight;  ///< undefined where there is no norm
  at::Tensor bias;    ///< undefined for an RMS norm

  bool defined() const { return weight.defined(); }
};

/// The block's kind of norm of one row of `dim` numbers, padded; `out` may be `x`.
template <typename In, typename Out>
void normalize_row(const KernelBlock& block, const PackedNorm& norm, const In* x, int64_t dim,
                   Out* out) {
  const float* weight = float_data(norm.weight);
  if (block.norm_kind == NormKind::rms_norm)
    simd::rms_norm(x, dim, weight, block.norm_eps, out);
  else
    simd::layer_norm(x, dim, weight, float_data(norm.bias), block.norm_eps, out);
}

}  // namespace vit::kernels
