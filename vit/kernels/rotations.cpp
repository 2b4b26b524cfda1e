// Rotations of simd.h.

#include <algorithm>
#include <cmath>

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/rotations.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

/// Beyond it the range reduction loses digits.
constexpr float kLargestAngle = 8192;

struct SinCos {
  VF sin, cos;
};

/// Of angles up to kLargestAngle, with an absolute error of 1e-7.
HWY_INLINE SinCos sincos(DF d, VF x) {
  const DI di;
  // x is n quarter turns, in three parts of few digits each, and r of at most an eighth.
  const auto n = hn::NearestInt(hn::Mul(x, hn::Set(d, 0.63661977f)));
  const auto turns = hn::ConvertTo(d, n);
  auto r = hn::NegMulAdd(turns, hn::Set(d, 1.5703125f), x);
  r = hn::NegMulAdd(turns, hn::Set(d, 4.837512970e-4f), r);
  r = hn::NegMulAdd(turns, hn::Set(d, 7.549790126e-8f), r);
  const auto square = hn::Mul(r, r);
  auto s = hn::Set(d, -1.9494763e-4f);
  s = hn::MulAdd(s, square, hn::Set(d, 8.3319722e-3f));
  s = hn::MulAdd(s, square, hn::Set(d, -1.6666651e-1f));
  s = hn::MulAdd(hn::Mul(s, square), r, r);
  auto c = hn::Set(d, 2.4437533e-5f);
  c = hn::MulAdd(c, square, hn::Set(d, -1.3887360e-3f));
  c = hn::MulAdd(c, square, hn::Set(d, 4.1666646e-2f));
  c = hn::MulAdd(hn::Mul(c, square), square,
                 hn::NegMulAdd(square, hn::Set(d, 0.5f), hn::Set(d, 1.0f)));
  // Odd turns exchange the two; the second bit of n, and of n + 1, is the sign.
  const auto odd = hn::RebindMask(d, hn::TestBit(n, hn::Set(di, 1)));
  const auto sign = [&](hn::Vec<DI> turn) HWY_ATTR {
    return hn::BitCast(d, hn::ShiftLeft<30>(hn::And(turn, hn::Set(di, 2))));
  };
  return {hn::Xor(hn::IfThenElse(odd, c, s), sign(n)),
          hn::Xor(hn::IfThenElse(odd, s, c), sign(hn::Add(n, hn::Set(di, 1))))};
}

void rotary_angles_of(const float* coordinates, const float* frequencies, int64_t axes,
                      int64_t padded, float* sin, float* cos) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto largest = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes) {
    auto angle = hn::Zero(d);
    for (int64_t axis = axes - 1; axis >= 0; --axis)
      angle = hn::MulAdd(load(d, frequencies + axis * padded + i), hn::Set(d, coordinates[axis]),
                         angle);
    largest = hn::Max(hn::Abs(angle), largest);
    const auto both = sincos(d, angle);
    put(d, both.sin, sin + i);
    put(d, both.cos, cos + i);
  }
  if (hn::GetLane(hn::MaxOfLanes(d, largest)) <= kLargestAngle) return;
  for (int64_t i = 0; i < padded; ++i) {
    float angle = 0;
    for (int64_t axis = 0; axis < axes; ++axis)
      angle += frequencies[axis * padded + i] * coordinates[axis];
    sin[i] = std::sin(angle);
    cos[i] = std::cos(angle);
  }
}

/// Both elements of pairs, which lie beside each other.
HWY_INLINE void put_pairs(DF d, VF a, VF b, float* out) { hn::StoreInterleaved2(a, b, d, out); }

HWY_INLINE void put_pairs(DF d, VF a, VF b, Bf16* out) {
  const DU du;
  const auto low = hn::PromoteTo(du, narrowed(d, a)), high = hn::PromoteTo(du, narrowed(d, b));
  hn::StoreU(hn::Or(low, hn::ShiftLeft<16>(high)), du, reinterpret_cast<uint32_t*>(out));
}

template <typename T>
HWY_INLINE void rotate_halves(const float* x, const float* sin, const float* cos, int64_t angles,
                              T* out) {
  const DF d;
  for (int64_t i = 0; i < angles; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto a = load(d, x + i), b = load(d, x + angles + i);
    const auto s = load(d, sin + i), c = load(d, cos + i);
    put(d, hn::NegMulAdd(b, s, hn::Mul(a, c)), out + i);
    put(d, hn::MulAdd(a, s, hn::Mul(b, c)), out + angles + i);
  }
}

/// Pairs that no angle is for have sine 0 and cosine 1.
template <typename T>
HWY_INLINE void rotate_neighbours(const float* x, const float* sin, const float* cos,
                                  const float* sin_b, const float* cos_b, int64_t pairs, T* out) {
  const DF d;
  for (int64_t i = 0; i < pairs; i += static_cast<int64_t>(hn::Lanes(d))) {
    VF a, b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    put_pairs(d, hn::NegMulAdd(b, load(d, sin + i), hn::Mul(a, load(d, cos + i))),
              hn::MulAdd(a, load(d, sin_b + i), hn::Mul(b, load(d, cos_b + i))), out + 2 * i);
  }
}

/// For numbers of pairs that do not fill vectors.
template <typename T>
HWY_INLINE void rotate_singly(const float* x, int64_t columns, const Rotation& rotation,
                              const float* sin, const float* cos, const float* sin_b,
                              const float* cos_b, T* out) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t step = rotation.pairs == RotatedPairs::halves ? 1 : 2;
  const int64_t apart = rotation.pairs == RotatedPairs::halves ? rotation.angles : 1;
  for (int64_t first = 0; first < columns; first += lanes) {
    float turned[kPad];
    for (int64_t i = 0; i < lanes; ++i) {
      const int64_t at = first + i;
      const bool is_first = step == 1 ? at < apart : at % 2 == 0;
      const int64_t pair = step == 1 ? (is_first ? at : at - apart) : at / 2;
      if (pair >= rotation.angles)
        turned[i] = x[at];
      else if (is_first)
        turned[i] = x[at] * cos[pair] - x[at + apart] * sin[pair];
      else
        turned[i] = x[at] * cos_b[pair] + x[at - apart] * sin_b[pair];
    }
    put(d, load(d, turned), out + first);
  }
}

template <typename T>
HWY_INLINE void rotate_of(const Tile& tile, const Rotation& rotation, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const bool halves = rotation.pairs == RotatedPairs::halves;
  const bool fills_vectors = halves ? 2 * rotation.angles == tile.cols && tile.cols / 2 % lanes == 0
                                    : tile.cols / 2 % lanes == 0;
  const int64_t padded = rotation.padded;
  for (int64_t r = 0; r < tile.rows; ++r) {
    const float *x = tile.data + r * tile.ld, *sin = rotation.table + r * rotation.ld;
    const float* cos = sin + padded;
    const bool apart = rotation.pairs == RotatedPairs::neighbours_apart;
    const float *sin_b = apart ? cos + padded : sin, *cos_b = apart ? sin_b + padded : cos;
    T* to = out + r * out_ld;
    if (!fills_vectors)
      rotate_singly(x, tile.cols, rotation, sin, cos, sin_b, cos_b, to);
    else if (halves)
      rotate_halves(x, sin, cos, rotation.angles, to);
    else
      rotate_neighbours(x, sin, cos, sin_b, cos_b, tile.cols / 2, to);
  }
}

void rotate_f32(const Tile& tile, const Rotation& rotation, float* out, int64_t out_ld) {
  rotate_of(tile, rotation, out, out_ld);
}
void rotate_bf16(const Tile& tile, const Rotation& rotation, Bf16* out, int64_t out_ld) {
  rotate_of(tile, rotation, out, out_ld);
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

HWY_EXPORT(rotary_angles_of);
HWY_EXPORT(rotate_f32);
HWY_EXPORT(rotate_bf16);

void rotary_angles(const float* coordinates, const float* frequencies, int64_t axes, int64_t padded,
                   float* sin, float* cos) {
  HWY_DYNAMIC_DISPATCH(rotary_angles_of)(coordinates, frequencies, axes, padded, sin, cos);
}
template <>
void rotate(const Tile& tile, const Rotation& rotation, float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(rotate_f32)(tile, rotation, out, out_ld);
}
template <>
void rotate(const Tile& tile, const Rotation& rotation, Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(rotate_bf16)(tile, rotation, out, out_ld);
}

}  // namespace vit::simd
#endif
