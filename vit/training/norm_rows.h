#pragma once

#include <algorithm>
#include <cstdint>

#include <vit/block_config.h>
#include <vit/kernels/simd.h>
#include <vit/training/simd.h>

namespace vit::training {

/// A norm as the passes read it.
struct NormData {
  NormKind kind = NormKind::layer_norm;
  float eps = 0;
  const float* weight = nullptr;  ///< null: there is no norm
  const float* bias = nullptr;    ///< null for an RMS norm

  explicit operator bool() const { return weight; }
};

/// A row of T as floats: itself, or its copy in `scratch`.
inline const float* as_floats(const float* x, int64_t, float*) { return x; }
inline const float* as_floats(const simd::Bf16* x, int64_t dim, float* scratch) {
  simd::to_float(x, dim, scratch);
  return scratch;
}

/// Copies a row, converted.
inline void put_row(const float* x, int64_t dim, float* out) { std::copy_n(x, dim, out); }
inline void put_row(const float* x, int64_t dim, simd::Bf16* out) { simd::to_bf16(x, dim, out); }
inline void put_row(const simd::Bf16* x, int64_t dim, float* out) { simd::to_float(x, dim, out); }

/// The norm of a row of `dim` numbers; x and out may be the same.
template <typename T>
void normalize_row(const NormData& norm, const float* x, int64_t dim, T* out) {
  if (norm.kind == NormKind::rms_norm)
    simd::rms_norm(x, dim, norm.weight, norm.eps, out);
  else
    simd::layer_norm(x, dim, norm.weight, norm.bias, norm.eps, out);
}

/// Its backward pass, which adds to the gradients of the norm's parameters; `dbias` is not touched
/// where there is no bias.
inline void normalize_row_backward(const NormData& norm, const simd::NormRow& row, int64_t dim,
                                   float* dweight, float* dbias) {
  if (norm.kind == NormKind::rms_norm)
    simd::rms_norm_backward(row, dim, norm.weight, norm.eps, dweight);
  else
    simd::layer_norm_backward(row, dim, norm.weight, norm.eps, dweight, dbias);
}

}  // namespace vit::training
