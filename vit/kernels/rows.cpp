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

void gather_scaled_of(const float* x, const int32_t* indices, const float* factors,
                      const float* added, int64_t padded, float* out) {
  const DF d;
  for (int64_t i = 0; i < padded; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto v = hn::GatherIndex(d, x, hn::LoadU(DI(), indices + i));
    const auto more = added ? load(d, added + i) : hn::Zero(d);
    put(d, hn::MulAdd(v, load(d, factors + i), more), out + i);
  }
}

/// The least and the most of a row, and zero; NaN if one of its numbers is.
struct Range {
  float low, high;
};

/// Of lanes; `sum` is what comparing loses, a sum of numbers that is finite if all of them are.
HWY_INLINE Range reduced(DF d, VF low, VF high, VF sum) {
  const float nothing = 0 * hn::GetLane(hn::SumOfLanes(d, sum));
  return {hn::GetLane(hn::MinOfLanes(d, low)), hn::GetLane(hn::MaxOfLanes(d, high)) + nothing};
}

template <typename T>
HWY_INLINE Range range_of(const T* x, int64_t padded) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto low = hn::Zero(d), high = hn::Zero(d), sum = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes) {
    const auto v = load(d, x + i);
    low = hn::Min(low, v);
    high = hn::Max(high, v);
    sum = hn::Add(sum, v);
  }
  return reduced(d, low, high, sum);
}

/// Scale and zero point for numbers between zero and others. A value's q is then within a byte
/// before it is rounded, for all that can be rounded on the way: no need to saturate.
HWY_INLINE Quantized scale_of(const Range& range) {
  // A row of zeros has no range; any scale will do.
  const float scale =
      std::max(range.high - range.low, std::numeric_limits<float>::min() * 255) / 254.99f;
  return {scale, std::floor(-range.low / scale + 0.501f)};
}

/// Added to a number, leaves it rounded in the lower bits.
constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23

/// Numbers from `begin` on as bytes.
template <typename T>
HWY_INLINE void round_to_bytes(const Quantized& scale, const T* x, int64_t begin, int64_t padded,
                               uint8_t* out) {
  const DF d;
  const DI di;
  const hn::Rebind<uint8_t, DF> d8;
  const auto inverse = hn::Set(d, 1.0f / scale.scale), offset = hn::Set(d, kRounder + scale.zero);
  for (int64_t i = begin; i < padded; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto q = hn::BitCast(di, hn::MulAdd(load(d, x + i), inverse, offset));
    // Not TruncateTo, which Highway 1.0.3 gets wrong for AVX3_DL.
    hn::StoreU(hn::DemoteTo(d8, hn::And(q, hn::Set(di, 0xFF))), d8, out + i);
  }
}

template <typename T>
HWY_INLINE Quantized quantize_of(const T* x, int64_t padded, uint8_t* out) {
  const auto scale = scale_of(range_of(x, padded));
  round_to_bytes(scale, x, 0, padded, out);
  return scale;
}

#if HWY_TARGET != HWY_SCALAR

using DH = hn::Repartition<uint16_t, DF>;

/// Two bfloat16 in each lane: the first of them, and the second.
HWY_INLINE VF even(DF d, hn::Vec<DU> pairs) { return hn::BitCast(d, hn::ShiftLeft<16>(pairs)); }
HWY_INLINE VF odd(DF d, hn::Vec<DU> pairs) {
  return hn::BitCast(d, hn::And(pairs, hn::Set(DU(), 0xFFFF0000u)));
}

HWY_INLINE Range range_of(const Bf16* x, int64_t padded) {
  const DF d;
  const DU du;
  const DH dh;
  const hn::RebindToSigned<DH> ds;
  const auto lanes = static_cast<int64_t>(hn::Lanes(dh));
  const int64_t full = padded / lanes * lanes;
  // As whole numbers, positive ones keep their order; of negative ones the least is the greatest
  // without sign. NaN is beyond infinity.
  auto most = hn::Zero(ds);
  auto least = hn::Zero(dh);
  for (int64_t i = 0; i < full; i += lanes) {
    const auto v = hn::LoadU(dh, reinterpret_cast<const uint16_t*>(x + i));
    most = hn::Max(most, hn::BitCast(ds, v));
    least = hn::Max(least, v);
  }
  const auto highs = hn::BitCast(du, most), lows = hn::BitCast(du, least);
  auto high = hn::Max(even(d, highs), odd(d, highs));
  auto low = hn::Min(hn::Min(even(d, lows), odd(d, lows)), hn::Zero(d));
  auto sum = hn::Add(hn::Add(even(d, lows), odd(d, lows)), hn::Add(even(d, highs), odd(d, highs)));
  for (int64_t i = full; i < padded; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto v = load(d, x + i);
    low = hn::Min(low, v);
    high = hn::Max(high, v);
    sum = hn::Add(sum, v);
  }
  return reduced(d, low, high, sum);
}

HWY_INLINE Quantized quantize_of(const Bf16* x, int64_t padded, uint8_t* out) {
  const DF d;
  const DU du;
  const D16 d16;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = scale_of(range_of(x, padded));
  const auto inverse = hn::Set(d, 1.0f / scale.scale), offset = hn::Set(d, kRounder + scale.zero);
  int64_t i = 0;
  for (; i + 2 * lanes <= padded; i += 2 * lanes) {
    const auto pairs = hn::LoadU(du, reinterpret_cast<const uint32_t*>(x + i));
    const auto first = hn::BitCast(du, hn::MulAdd(even(d, pairs), inverse, offset));
    const auto second = hn::BitCast(du, hn::MulAdd(odd(d, pairs), inverse, offset));
    const auto both = hn::Or(hn::And(first, hn::Set(du, 0xFF)), hn::ShiftLeft<8>(second));
    hn::StoreU(hn::TruncateTo(d16, both), d16, reinterpret_cast<uint16_t*>(out + i));
  }
  round_to_bytes(scale, x, i, padded, out);
  return scale;
}

#endif

Quantized quantize_f32(const float* x, int64_t padded, uint8_t* out) {
  return quantize_of(x, padded, out);
}
Quantized quantize_bf16(const Bf16* x, int64_t padded, uint8_t* out) {
  return quantize_of(x, padded, out);
}

template <typename T, bool kBiased>
HWY_INLINE float softmax_of(float* scores, int64_t n, int64_t padded, float scale,
                            const float* bias) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale * kLog2E);
  const auto lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  const int64_t full = n / lanes * lanes;
  // In units of log2, without bias before the scale is applied.
  const auto score = [&](int64_t i) HWY_ATTR {
    const auto s = load(d, scores + i);
    return kBiased ? hn::MulAdd(s, factor, load(d, bias + i)) : s;
  };
  auto most = lowest;
  for (int64_t i = 0; i < full; i += lanes) most = hn::Max(most, score(i));
  const auto tail = hn::FirstN(d, n - full);
  if (full < n) most = hn::Max(most, hn::IfThenElse(tail, score(full), lowest));
  const auto shift = kBiased ? hn::MaxOfLanes(d, most) : hn::Mul(hn::MaxOfLanes(d, most), factor);
  const auto numerator = [&](int64_t i) HWY_ATTR {
    return exp2<T>(d, kBiased ? hn::Sub(score(i), shift) : hn::MulSub(score(i), factor, shift));
  };
  T* out = reinterpret_cast<T*>(scores);
  auto total = hn::Zero(d);
  int64_t i = 0;
  for (; i < full; i += lanes) {
    const auto e = numerator(i);
    total = hn::Add(total, e);
    put(d, e, out + i);
  }
  if (i < n) {
    const auto e = hn::IfThenElseZero(tail, numerator(i));
    total = hn::Add(total, e);
    put(d, e, out + i);
    i += lanes;
  }
  for (; i < padded; i += lanes) put(d, hn::Zero(d), out + i);
  return 1.0f / hn::GetLane(hn::SumOfLanes(d, total));
}

template <typename T>
HWY_INLINE float softmax_any(float* scores, int64_t n, int64_t padded, float scale,
                             const float* bias) {
  return bias ? softmax_of<T, true>(scores, n, padded, scale, bias)
              : softmax_of<T, false>(scores, n, padded, scale, nullptr);
}

float softmax_f32(float* scores, int64_t n, int64_t padded, float scale, const float* bias) {
  return softmax_any<float>(scores, n, padded, scale, bias);
}
float softmax_bf16(float* scores, int64_t n, int64_t padded, float scale, const float* bias) {
  return softmax_any<Bf16>(scores, n, padded, scale, bias);
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

HWY_EXPORT(weighted_rows_of);
HWY_EXPORT(gather_scaled_of);
HWY_EXPORT(quantize_f32);
HWY_EXPORT(quantize_bf16);
HWY_EXPORT(softmax_f32);
HWY_EXPORT(softmax_bf16);
HWY_EXPORT(to_float_of);
HWY_EXPORT(to_bf16_of);
HWY_EXPORT(to_bf16_pair_of);

void weighted_rows(const float* x, int64_t padded, const int64_t* rows, const float* weights,
                   int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(weighted_rows_of)(x, padded, rows, weights, count, out);
}
void gather_scaled(const float* x, const int32_t* indices, const float* factors, const float* added,
                   int64_t padded, float* out) {
  HWY_DYNAMIC_DISPATCH(gather_scaled_of)(x, indices, factors, added, padded, out);
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
