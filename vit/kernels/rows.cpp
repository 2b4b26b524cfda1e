// Row kernels of simd.h.

#include <algorithm>
#include <cmath>
#include <limits>

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

template <typename T>
HWY_INLINE void layer_norm_of(const float* x, int64_t dim, const float* weight, const float* bias,
                              float eps, T* out) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = round_up(dim), full = dim / lanes * lanes;
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= padded; i += 2 * lanes) {  // what pads a row is zero
    sum0 = hn::Add(sum0, load(d, x + i));
    sum1 = hn::Add(sum1, load(d, x + i + lanes));
  }
  for (; i < padded; i += lanes) sum0 = hn::Add(sum0, load(d, x + i));
  const float mean = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1))) / static_cast<float>(dim);

  const auto center = hn::Set(d, mean);
  auto squares0 = hn::Zero(d), squares1 = hn::Zero(d);
  for (i = 0; i + 2 * lanes <= full; i += 2 * lanes) {
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
  const float variance =
      hn::GetLane(hn::SumOfLanes(d, hn::Add(squares0, squares1))) / static_cast<float>(dim);
  const float factor = 1.0f / std::sqrt(variance + eps);

  const auto scale = hn::Set(d, factor);
  for (i = 0; i < padded; i += lanes) {
    const auto v = hn::Mul(hn::Sub(load(d, x + i), center), scale);
    put(d, hn::MulAdd(v, load(d, weight + i), load(d, bias + i)), out + i);
  }
}

void layer_norm_f32(const float* x, int64_t dim, const float* weight, const float* bias, float eps,
                    float* out) {
  layer_norm_of(x, dim, weight, bias, eps, out);
}
void layer_norm_bf16(const float* x, int64_t dim, const float* weight, const float* bias, float eps,
                     Bf16* out) {
  layer_norm_of(x, dim, weight, bias, eps, out);
}

void weighted_rows_of(const float* x, int64_t padded, const int64_t* rows, const float* weights,
                      int64_t count, float* out) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < padded; i += lanes) {
    auto sum = hn::Mul(load(d, x + rows[0] * padded + i), hn::Set(d, weights[0]));
    for (int64_t j = 1; j < count; ++j)
      sum = hn::MulAdd(load(d, x + rows[j] * padded + i), hn::Set(d, weights[j]), sum);
    put(d, sum, out + i);
  }
}

template <typename T>
HWY_INLINE Quantized quantize_of(const T* x, int64_t padded, uint8_t* out) {
  const DF d;
  const DI di;
  const hn::Rebind<uint8_t, DF> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto low = hn::Zero(d), high = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes) {
    const auto v = load(d, x + i);
    low = hn::Min(low, v);
    high = hn::Max(high, v);
  }
  const float lowest = hn::GetLane(hn::MinOfLanes(d, low));
  const float highest = hn::GetLane(hn::MaxOfLanes(d, high));
  // A row of zeros has no range; any scale will do.
  const float scale = std::max(highest - lowest, std::numeric_limits<float>::min() * 255) / 255;
  const int32_t zero = std::clamp(static_cast<int32_t>(std::lrint(-lowest / scale)), 0, 255);
  const auto inverse = hn::Set(d, 1.0f / scale);
  const auto offset = hn::Set(di, zero);
  for (int64_t i = 0; i < padded; i += lanes) {
    const auto q = hn::Add(hn::NearestInt(hn::Mul(load(d, x + i), inverse)), offset);
    hn::StoreU(hn::DemoteTo(d8, q), d8, out + i);  // saturates
  }
  return {scale, zero};
}

Quantized quantize_f32(const float* x, int64_t padded, uint8_t* out) {
  return quantize_of(x, padded, out);
}
Quantized quantize_bf16(const Bf16* x, int64_t padded, uint8_t* out) {
  return quantize_of(x, padded, out);
}

template <typename T>
HWY_INLINE float softmax_of(float* scores, int64_t n, int64_t padded, float scale,
                            const float* bias) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale * kLog2E);
  const auto lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto most = lowest;
  for (int64_t i = 0; i < n; i += lanes) {
    auto t = hn::Mul(load(d, scores + i), factor);
    if (bias) t = hn::Add(t, load(d, bias + i));
    if (i + lanes > n) t = hn::IfThenElse(hn::FirstN(d, n - i), t, lowest);
    put(d, t, scores + i);
    most = hn::Max(most, t);
  }
  const auto shift = hn::MaxOfLanes(d, most);
  T* out = reinterpret_cast<T*>(scores);
  auto total = hn::Zero(d);
  int64_t i = 0;
  for (; i < n; i += lanes) {
    auto e = exp2(d, hn::Sub(load(d, scores + i), shift));
    if (i + lanes > n) e = hn::IfThenElseZero(hn::FirstN(d, n - i), e);
    total = hn::Add(total, e);
    put(d, e, out + i);
  }
  for (; i < padded; i += lanes) put(d, hn::Zero(d), out + i);
  return 1.0f / hn::GetLane(hn::SumOfLanes(d, total));
}

float softmax_f32(float* scores, int64_t n, int64_t padded, float scale, const float* bias) {
  return softmax_of<float>(scores, n, padded, scale, bias);
}
float softmax_bf16(float* scores, int64_t n, int64_t padded, float scale, const float* bias) {
  return softmax_of<Bf16>(scores, n, padded, scale, bias);
}

void to_float_of(const Bf16* x, int64_t n, float* out) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) put(d, load(d, x + i), out + i);
  for (; i < n; ++i) {
    const uint32_t bits = static_cast<uint32_t>(x[i].bits) << 16;
    std::copy_n(reinterpret_cast<const char*>(&bits), 4, reinterpret_cast<char*>(out + i));
  }
}

void to_bf16_pair_of(const float* x, int64_t padded, Bf16* out, Bf16* rest) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < padded; i += lanes) {
    const auto v = load(d, x + i);
    put(d, v, out + i);
    put(d, hn::Sub(v, load(d, out + i)), rest + i);
  }
}

void to_bf16_of(const float* x, int64_t n, Bf16* out) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) put(d, load(d, x + i), out + i);
  for (; i < n; ++i) {
    Bf16 rounded[kPad];
    put(d, hn::Set(d, x[i]), rounded);
    out[i] = rounded[0];
  }
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

HWY_EXPORT(layer_norm_f32);
HWY_EXPORT(layer_norm_bf16);
HWY_EXPORT(weighted_rows_of);
HWY_EXPORT(quantize_f32);
HWY_EXPORT(quantize_bf16);
HWY_EXPORT(softmax_f32);
HWY_EXPORT(softmax_bf16);
HWY_EXPORT(to_float_of);
HWY_EXPORT(to_bf16_of);
HWY_EXPORT(to_bf16_pair_of);

template <>
void layer_norm(const float* x, int64_t dim, const float* weight, const float* bias, float eps,
                float* out) {
  HWY_DYNAMIC_DISPATCH(layer_norm_f32)(x, dim, weight, bias, eps, out);
}
template <>
void layer_norm(const float* x, int64_t dim, const float* weight, const float* bias, float eps,
                Bf16* out) {
  HWY_DYNAMIC_DISPATCH(layer_norm_bf16)(x, dim, weight, bias, eps, out);
}
void weighted_rows(const float* x, int64_t padded, const int64_t* rows, const float* weights,
                   int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(weighted_rows_of)(x, padded, rows, weights, count, out);
}
template <>
Quantized quantize(const float* x, int64_t padded, uint8_t* out) {
  return HWY_DYNAMIC_DISPATCH(quantize_f32)(x, padded, out);
}
template <>
Quantized quantize(const Bf16* x, int64_t padded, uint8_t* out) {
  return HWY_DYNAMIC_DISPATCH(quantize_bf16)(x, padded, out);
}
template <>
float softmax<float>(float* scores, int64_t n, int64_t padded, float scale, const float* bias) {
  return HWY_DYNAMIC_DISPATCH(softmax_f32)(scores, n, padded, scale, bias);
}
template <>
float softmax<Bf16>(float* scores, int64_t n, int64_t padded, float scale, const float* bias) {
  return HWY_DYNAMIC_DISPATCH(softmax_bf16)(scores, n, padded, scale, bias);
}
void to_float(const Bf16* x, int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(to_float_of)(x, n, out);
}
void to_bf16(const float* x, int64_t n, Bf16* out) { HWY_DYNAMIC_DISPATCH(to_bf16_of)(x, n, out); }
void to_bf16_pair(const float* x, int64_t padded, Bf16* out, Bf16* rest) {
  HWY_DYNAMIC_DISPATCH(to_bf16_pair_of)(x, padded, out, rest);
}

}  // namespace vit::simd
#endif
