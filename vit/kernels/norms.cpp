// Norms of simd.h.

#include <cmath>

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/norms.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

/// Mean of a row whose padding is zero.
template <typename In>
HWY_INLINE float mean_of(const In* x, int64_t dim) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = round_up(dim);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= padded; i += 2 * lanes) {
    sum0 = hn::Add(sum0, load(d, x + i));
    sum1 = hn::Add(sum1, load(d, x + i + lanes));
  }
  for (; i < padded; i += lanes) sum0 = hn::Add(sum0, load(d, x + i));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1))) / static_cast<float>(dim);
}

/// Mean of (x - center)^2.
template <typename In>
HWY_INLINE float mean_square(const In* x, int64_t dim, VF center) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t full = dim / lanes * lanes;
  auto squares0 = hn::Zero(d), squares1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= full; i += 2 * lanes) {
    const auto v0 = hn::Sub(load(d, x + i), center);
    const auto v1 = hn::Sub(load(d, x + i + lanes), center);
    squares0 = hn::MulAdd(v0, v0, squares0);
    squares1 = hn::MulAdd(v1, v1, squares1);
  }
  for (; i < dim; i += lanes) {
    auto v = hn::Sub(load(d, x + i), center);
    if (i + lanes > dim) v = hn::IfThenElseZero(hn::FirstN(d, dim - i), v);
    squares0 = hn::MulAdd(v, v, squares0);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(squares0, squares1))) / static_cast<float>(dim);
}

template <typename In, typename Out>
HWY_INLINE void layer_norm_of(const In* x, int64_t dim, const float* weight, const float* bias,
                              float eps, Out* out) {
  const DF d;
  const auto center = hn::Set(d, mean_of(x, dim));
  const auto scale = hn::Set(d, 1.0f / std::sqrt(mean_square(x, dim, center) + eps));
  const int64_t padded = round_up(dim);
  for (int64_t i = 0; i < padded; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto v = hn::Mul(hn::Sub(load(d, x + i), center), scale);
    put(d, hn::MulAdd(v, load(d, weight + i), load(d, bias + i)), out + i);
  }
}

template <typename In, typename Out>
HWY_INLINE void rms_norm_of(const In* x, int64_t dim, const float* weight, float eps, Out* out) {
  const DF d;
  const auto scale = hn::Set(d, 1.0f / std::sqrt(mean_square(x, dim, hn::Zero(d)) + eps));
  const int64_t padded = round_up(dim);
  for (int64_t i = 0; i < padded; i += static_cast<int64_t>(hn::Lanes(d)))
    put(d, hn::Mul(hn::Mul(load(d, x + i), scale), load(d, weight + i)), out + i);
}

// For each type of row and of output.
#define VITOME_NORMS(name, In, Out)                                                          \
  void layer_norm_##name(const In* x, int64_t dim, const float* weight, const float* bias,   \
                         float eps, Out* out) {                                              \
    layer_norm_of(x, dim, weight, bias, eps, out);                                           \
  }                                                                                          \
  void rms_norm_##name(const In* x, int64_t dim, const float* weight, float eps, Out* out) { \
    rms_norm_of(x, dim, weight, eps, out);                                                   \
  }
VITOME_NORMS(f32_f32, float, float)
VITOME_NORMS(f32_bf16, float, Bf16)
VITOME_NORMS(bf16_f32, Bf16, float)
VITOME_NORMS(bf16_bf16, Bf16, Bf16)
#undef VITOME_NORMS

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

#define VITOME_NORMS(name, In, Out)                                                            \
  HWY_EXPORT(layer_norm_##name);                                                               \
  HWY_EXPORT(rms_norm_##name);                                                                 \
  template <>                                                                                  \
  void layer_norm(const In* x, int64_t dim, const float* weight, const float* bias, float eps, \
                  Out* out) {                                                                  \
    HWY_DYNAMIC_DISPATCH(layer_norm_##name)(x, dim, weight, bias, eps, out);                   \
  }                                                                                            \
  template <>                                                                                  \
  void rms_norm(const In* x, int64_t dim, const float* weight, float eps, Out* out) {          \
    HWY_DYNAMIC_DISPATCH(rms_norm_##name)(x, dim, weight, eps, out);                           \
  }
VITOME_NORMS(f32_f32, float, float)
VITOME_NORMS(f32_bf16, float, Bf16)
VITOME_NORMS(bf16_f32, Bf16, float)
VITOME_NORMS(bf16_bf16, Bf16, Bf16)
#undef VITOME_NORMS

}  // namespace vit::simd
#endif
