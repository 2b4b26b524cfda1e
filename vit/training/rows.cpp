// Row kernels of training/simd.h.

#include <cmath>

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/training/rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>
#include <vit/training/simd.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

HWY_INLINE float sum_lanes(DF d, VF v) { return hn::GetLane(hn::SumOfLanes(d, v)); }

/// Of a norm that takes the mean away, or of one that does not and has no bias.
template <bool kCentered>
HWY_INLINE void norm_backward_of(const NormRow& row, int64_t dim, const float* weight, float eps,
                                 float* dweight, float* dbias) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float inverse_dim = 1.0f / static_cast<float>(dim);
  auto mean = hn::Zero(d);
  if constexpr (kCentered) {
    auto sum = hn::Zero(d);
    for (int64_t i = 0; i < dim; i += lanes) sum = hn::Add(sum, load(d, row.x + i));
    mean = hn::Set(d, sum_lanes(d, sum) * inverse_dim);
  }
  auto squares = hn::Zero(d), weighted = hn::Zero(d), correlated = hn::Zero(d);
  for (int64_t i = 0; i < dim; i += lanes) {
    const auto centered = hn::Sub(load(d, row.x + i), mean);
    const auto g = hn::Mul(load(d, row.dy + i), load(d, weight + i));
    squares = hn::MulAdd(centered, centered, squares);
    if constexpr (kCentered) weighted = hn::Add(weighted, g);
    correlated = hn::MulAdd(g, centered, correlated);
  }
  const float scale = 1.0f / std::sqrt(sum_lanes(d, squares) * inverse_dim + eps);
  const auto factor = hn::Set(d, scale);
  const auto mean_g = hn::Set(d, sum_lanes(d, weighted) * inverse_dim);
  const auto slope = hn::Set(d, sum_lanes(d, correlated) * inverse_dim * scale);
  for (int64_t i = 0; i < dim; i += lanes) {
    const auto normal = hn::Mul(hn::Sub(load(d, row.x + i), mean), factor);
    const auto dy = load(d, row.dy + i);
    put(d, hn::MulAdd(dy, normal, load(d, dweight + i)), dweight + i);
    if constexpr (kCentered) put(d, hn::Add(dy, load(d, dbias + i)), dbias + i);
    const auto g = hn::Sub(hn::Mul(dy, load(d, weight + i)), mean_g);
    const auto dx = hn::Mul(hn::NegMulAdd(normal, slope, g), factor);
    put(d, row.residual ? hn::Add(dx, load(d, row.residual + i)) : dx, row.dx + i);
  }
}

void layer_norm_backward_of(const NormRow& row, int64_t dim, const float* weight, float eps,
                            float* dweight, float* dbias) {
  norm_backward_of<true>(row, dim, weight, eps, dweight, dbias);
}
void rms_norm_backward_of(const NormRow& row, int64_t dim, const float* weight, float eps,
                          float* dweight) {
  norm_backward_of<false>(row, dim, weight, eps, dweight, nullptr);
}

template <typename T>
HWY_INLINE void softmax_backward_of(T* scores, float factor, float scale, int64_t padded,
                                    float* gradients) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  auto total = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes)
    total = hn::MulAdd(load(d, scores + i), load(d, gradients + i), total);
  const auto mean = hn::Set(d, sum_lanes(d, total) * factor);
  const auto s = hn::Set(d, scale);
  T* out = reinterpret_cast<T*>(gradients);
  for (int64_t i = 0; i < padded; i += lanes) {
    const auto p = hn::Mul(load(d, scores + i), f);
    const auto g = hn::Mul(hn::Mul(p, s), hn::Sub(load(d, gradients + i), mean));
    put(d, p, scores + i);
    put(d, g, out + i);
  }
}

template <typename T>
HWY_INLINE void sum_rows_of(const T* x, int64_t ld, int64_t rows, int64_t cols, float* sums) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) {  // lines that lie together are read together
    float* to = sums + c;
    auto sum0 = load(d, to), sum1 = load(d, to + lanes);
    auto sum2 = load(d, to + 2 * lanes), sum3 = load(d, to + 3 * lanes);
    for (int64_t r = 0; r < rows; ++r) {
      const T* from = x + r * ld + c;
      sum0 = hn::Add(sum0, load(d, from));
      sum1 = hn::Add(sum1, load(d, from + lanes));
      sum2 = hn::Add(sum2, load(d, from + 2 * lanes));
      sum3 = hn::Add(sum3, load(d, from + 3 * lanes));
    }
    put(d, sum0, to);
    put(d, sum1, to + lanes);
    put(d, sum2, to + 2 * lanes);
    put(d, sum3, to + 3 * lanes);
  }
  for (; c < cols; c += lanes) {
    auto sum = load(d, sums + c);
    for (int64_t r = 0; r < rows; ++r) sum = hn::Add(sum, load(d, x + r * ld + c));
    put(d, sum, sums + c);
  }
}

void softmax_backward_f32(float* scores, float factor, float scale, int64_t padded,
                          float* gradients) {
  softmax_backward_of(scores, factor, scale, padded, gradients);
}
void softmax_backward_bf16(Bf16* scores, float factor, float scale, int64_t padded,
                           float* gradients) {
  softmax_backward_of(scores, factor, scale, padded, gradients);
}
void sum_rows_f32(const float* x, int64_t ld, int64_t rows, int64_t cols, float* sums) {
  sum_rows_of(x, ld, rows, cols, sums);
}
void sum_rows_bf16(const Bf16* x, int64_t ld, int64_t rows, int64_t cols, float* sums) {
  sum_rows_of(x, ld, rows, cols, sums);
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

HWY_EXPORT(layer_norm_backward_of);
HWY_EXPORT(rms_norm_backward_of);
HWY_EXPORT(softmax_backward_f32);
HWY_EXPORT(softmax_backward_bf16);
HWY_EXPORT(sum_rows_f32);
HWY_EXPORT(sum_rows_bf16);

void layer_norm_backward(const NormRow& row, int64_t dim, const float* weight, float eps,
                         float* dweight, float* dbias) {
  HWY_DYNAMIC_DISPATCH(layer_norm_backward_of)(row, dim, weight, eps, dweight, dbias);
}
void rms_norm_backward(const NormRow& row, int64_t dim, const float* weight, float eps,
                       float* dweight) {
  HWY_DYNAMIC_DISPATCH(rms_norm_backward_of)(row, dim, weight, eps, dweight);
}
template <>
void softmax_backward(float* scores, float factor, float scale, int64_t padded, float* gradients) {
  HWY_DYNAMIC_DISPATCH(softmax_backward_f32)(scores, factor, scale, padded, gradients);
}
template <>
void softmax_backward(Bf16* scores, float factor, float scale, int64_t padded, float* gradients) {
  HWY_DYNAMIC_DISPATCH(softmax_backward_bf16)(scores, factor, scale, padded, gradients);
}
template <>
void sum_rows(const float* x, int64_t ld, int64_t rows, int64_t cols, float* sums) {
  HWY_DYNAMIC_DISPATCH(sum_rows_f32)(x, ld, rows, cols, sums);
}
template <>
void sum_rows(const Bf16* x, int64_t ld, int64_t rows, int64_t cols, float* sums) {
  HWY_DYNAMIC_DISPATCH(sum_rows_bf16)(x, ld, rows, cols, sums);
}

}  // namespace vit::simd
#endif
