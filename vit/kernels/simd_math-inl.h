// Functions of vectors of floats for the files that are compiled once for every instruction set.
// Include it after hwy/highway.h, inside the usual guard: no ordinary include guard.

#if defined(VITOME_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VITOME_SIMD_MATH_INL_H_
#undef VITOME_SIMD_MATH_INL_H_
#else
#define VITOME_SIMD_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <vit/kernels/simd.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Never more lanes than rows are padded to.
using DF = HWY_CAPPED(float, kPad);
using DI = hn::Rebind<int32_t, DF>;
using DU = hn::Rebind<uint32_t, DF>;
using D16 = hn::Rebind<uint16_t, DF>;
using VF = hn::Vec<DF>;

HWY_INLINE VF load(DF d, const float* p) { return hn::LoadU(d, p); }

HWY_INLINE VF load(DF d, const Bf16* p) {
  const auto narrow = hn::LoadU(D16(), reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(DU(), narrow)));
}

HWY_INLINE void put(DF d, VF v, float* p) { hn::StoreU(v, d, p); }

/// Rounds to nearest, ties to even.
HWY_INLINE hn::Vec<D16> narrowed(DF, VF v) {
#if HWY_TARGET <= HWY_AVX3_DL  // better ones, of later releases of Highway, are less
  // Highway 1.0.3 knows no such instruction.
  hn::Vec<D16> rounded;
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(rounded.raw) : "v"(v.raw));
  return rounded;
#else
  const DU du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto rounded = hn::Add(hn::Add(bits, hn::Set(du, 0x7FFF)), odd);
  return hn::TruncateTo(D16(), hn::ShiftRight<16>(rounded));
#endif
}

HWY_INLINE void put(DF d, VF v, Bf16* p) {
  hn::StoreU(narrowed(d, v), D16(), reinterpret_cast<uint16_t*>(p));
}

/// 2^x for x up to 127, 0 far below, NaN for NaN: with a relative error of 1e-7, or of 3e-6 where a
/// T, as narrow as bfloat16, is all that it becomes.
template <typename T = float>
HWY_INLINE VF exp2(DF d, VF x) {
  const DI di;
  // In this order, which lets x86 pass NaN on: it is never to become a number.
  x = hn::Max(hn::Set(d, -126.0f), x);
  const auto whole = hn::NearestInt(x);
  const auto f = hn::Sub(x, hn::ConvertTo(d, whole));
  auto p = f;
  if constexpr (sizeof(T) == sizeof(float)) {
    p = hn::Set(d, 1.3276374e-3f);
    p = hn::MulAdd(p, f, hn::Set(d, 9.6755333e-3f));
    p = hn::MulAdd(p, f, hn::Set(d, 5.5507135e-2f));
    p = hn::MulAdd(p, f, hn::Set(d, 2.4022120e-1f));
    p = hn::MulAdd(p, f, hn::Set(d, 6.9314697e-1f));
    p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  } else {
    p = hn::Set(d, 9.57008e-3f);
    p = hn::MulAdd(p, f, hn::Set(d, 5.591789e-2f));
    p = hn::MulAdd(p, f, hn::Set(d, 2.4024746e-1f));
    p = hn::MulAdd(p, f, hn::Set(d, 6.9312181e-1f));
    p = hn::MulAdd(p, f, hn::Set(d, 9.9999926e-1f));
  }
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(whole)));
}

constexpr float kLog2E = 1.44269504f;

/// x * sigmoid(x * steepness).
HWY_INLINE VF sigmoid_gate(DF d, VF x, float steepness) {
  const auto e = exp2(d, hn::Min(hn::Mul(x, hn::Set(d, -kLog2E * steepness)), hn::Set(d, 126.0f)));
  return hn::Div(x, hn::Add(e, hn::Set(d, 1.0f)));
}

/// What both GELU and its slope are made of.
struct GeluTail {
  VF tail;     ///< 1 - Phi(|x|), with an absolute error of 1e-7 (Abramowitz and Stegun 7.1.26)
  VF density;  ///< exp(-x^2 / 2)
};

HWY_INLINE GeluTail gelu_tail(DF d, VF x) {
  const auto z = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678f));
  const auto one = hn::Set(d, 1.0f);
  const auto t = hn::Div(one, hn::MulAdd(z, hn::Set(d, 0.3275911f), one));
  auto p = hn::Set(d, 1.061405429f);
  p = hn::MulAdd(p, t, hn::Set(d, -1.453152027f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.421413741f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.284496736f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.254829592f));
  const auto density = exp2(d, hn::Mul(hn::Mul(z, z), hn::Set(d, -kLog2E)));
  return {hn::Mul(hn::Mul(hn::Mul(p, t), hn::Set(d, 0.5f)), density), density};
}

/// x * Phi(x) with an absolute error of Phi of 1e-7.
HWY_INLINE VF gelu_fine(DF d, VF x) {
  // x Phi(x) is x - x tail for positive x and x tail for negative ones.
  return hn::Sub(hn::Max(x, hn::Zero(d)), hn::Mul(hn::Abs(x), gelu_tail(d, x).tail));
}

/// x * Phi(x) with an absolute error of 4e-5, where bfloat16 is all that it becomes: a polynomial
/// fitted to Phi on [-4.4, 4.4] that ends in 0 and 1.
HWY_INLINE VF gelu_coarse(DF d, VF x) {
  const auto c = hn::Min(hn::Max(x, hn::Set(d, -4.4f)), hn::Set(d, 4.4f));
  const auto u = hn::Mul(c, c);
  auto p = hn::Set(d, 3.56943017e-11f);
  p = hn::MulAdd(p, u, hn::Set(d, -3.75404996e-9f));
  p = hn::MulAdd(p, u, hn::Set(d, 1.74084775e-7f));
  p = hn::MulAdd(p, u, hn::Set(d, -4.72486909e-6f));
  p = hn::MulAdd(p, u, hn::Set(d, 8.4293024e-5f));
  p = hn::MulAdd(p, u, hn::Set(d, -0.00105499255f));
  p = hn::MulAdd(p, u, hn::Set(d, 0.00964302849f));
  p = hn::MulAdd(p, u, hn::Set(d, -0.0660764277f));
  p = hn::MulAdd(p, u, hn::Set(d, 0.3987616f));
  return hn::Mul(x, hn::MulAdd(c, p, hn::Set(d, 0.5f)));
}

/// The tanh form of GELU is x sigmoid(kGeluTanhScale x (1 + kGeluTanhCubic x^2)).
constexpr float kGeluTanhScale = 2 * 0.79788456f, kGeluTanhCubic = 0.044715f;

HWY_INLINE VF gelu_tanh(DF d, VF x) {
  const auto inner = hn::MulAdd(hn::Mul(x, x), hn::Set(d, kGeluTanhCubic), hn::Set(d, 1.0f));
  const auto z = hn::Mul(hn::Mul(x, inner), hn::Set(d, -kGeluTanhScale * kLog2E));
  const auto e = exp2(d, hn::Min(z, hn::Set(d, 126.0f)));
  return hn::Div(x, hn::Add(e, hn::Set(d, 1.0f)));
}

/// Quick GELU is x sigmoid(kQuickGeluSteepness x).
constexpr float kQuickGeluSteepness = 1.702f;

/// An activation as exact as numbers of type T can hold it.
template <TileActivation kKind, typename T>
HWY_INLINE VF activated(DF d, VF x) {
  if constexpr (kKind == TileActivation::gelu)
    return sizeof(T) == sizeof(float) ? gelu_fine(d, x) : gelu_coarse(d, x);
  if constexpr (kKind == TileActivation::gelu_tanh) return gelu_tanh(d, x);
  if constexpr (kKind == TileActivation::silu) return sigmoid_gate(d, x, 1.0f);
  return sigmoid_gate(d, x, kQuickGeluSteepness);
}

}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
