// Operand kernels of simd.h: transposes, and the packing of right-hand sides.

#include <algorithm>

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/operands.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <typename W>
void transpose_of(const W* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols, W* out,
                  int64_t out_ld) {
  for (int64_t c = 0; c < cols; ++c)
    for (int64_t r = 0; r < padded_rows; ++r) out[c * out_ld + r] = r < rows ? x[r * ld + c] : W{};
}

#else

/// The first halves of two vectors one after the other by pairs of `W`, and the second halves.
template <typename W, typename D, typename V>
HWY_INLINE void interleave(D d, V& a, V& b) {
  const hn::Repartition<W, D> wide;
  const auto x = hn::BitCast(wide, a), y = hn::BitCast(wide, b);
  a = hn::BitCast(d, hn::InterleaveLower(wide, x, y));
  b = hn::BitCast(d, hn::InterleaveUpper(wide, x, y));
}

/// Squares of 8 x 8 or 4 x 4 words, in the rows of `v`; comes out with rows in the order of
/// `places`.
HWY_INLINE void transpose_square(hn::FixedTag<uint16_t, 8> d,
                                 hn::Vec<hn::FixedTag<uint16_t, 8> >* v) {
  for (int i = 0; i < 8; i += 2) interleave<uint16_t>(d, v[i], v[i + 1]);
  for (int i : {0, 1, 4, 5}) interleave<uint32_t>(d, v[i], v[i + 2]);
  for (int i = 0; i < 4; ++i) interleave<uint64_t>(d, v[i], v[i + 4]);
}
HWY_INLINE void transpose_square(hn::FixedTag<uint32_t, 4> d,
                                 hn::Vec<hn::FixedTag<uint32_t, 4> >* v) {
  for (int i : {0, 2}) interleave<uint32_t>(d, v[i], v[i + 1]);
  for (int i = 0; i < 2; ++i) interleave<uint64_t>(d, v[i], v[i + 2]);
}

template <typename W>
void transpose_of(const W* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols, W* out,
                  int64_t out_ld) {
  constexpr int kSide = 16 / sizeof(W);
  // As many rows together as fill a cache line of the transpose: it is then written once.
  constexpr int64_t kLine = 64 / sizeof(W);
  // Where interleaving leaves the rows of a square: the bits of their numbers turned round.
  constexpr int kPlaces[] = {0, kSide / 2, kSide / 4 % kSide, kSide / 4 * 3, 1, 5, 3, 7};
  const hn::FixedTag<W, kSide> d;
  for (int64_t line = 0; line < padded_rows; line += kLine)
    for (int64_t c = 0; c < cols; c += kSide)
      for (int64_t r = line; r < std::min(line + kLine, padded_rows); r += kSide) {
        hn::Vec<decltype(d)> v[kSide];
        for (int64_t i = 0; i < kSide; ++i)
          v[i] = r + i < rows ? hn::LoadU(d, x + (r + i) * ld + c) : hn::Zero(d);
        transpose_square(d, v);
        for (int64_t i = 0; i < kSide; ++i)
          hn::StoreU(v[i], d, out + (c + kPlaces[i]) * out_ld + r);
      }
}

#endif

void transpose_words(const uint32_t* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols,
                     uint32_t* out, int64_t out_ld) {
  transpose_of(x, ld, rows, padded_rows, cols, out, out_ld);
}
void transpose_halves(const uint16_t* x, int64_t ld, int64_t rows, int64_t padded_rows,
                      int64_t cols, uint16_t* out, int64_t out_ld) {
  transpose_of(x, ld, rows, padded_rows, cols, out, out_ld);
}

void pack_values_bf16(const Bf16* values, int64_t n, int64_t padded_n, int64_t padded,
                      int64_t first, int64_t width, Bf16* out) {
  const DF d;
  const DU du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(du));
  for (int64_t t = 0; t < padded_n; t += 2)
    for (int64_t c = 0; c < width; c += lanes, out += 2 * lanes) {
      const Bf16* from = values + t * padded + first + c;
      // A bfloat16 is the upper half of its float: the even row goes to the lower half of a word.
      const auto even = t < n ? hn::BitCast(du, load(d, from)) : hn::Zero(du);
      const auto odd = t + 1 < n ? hn::BitCast(du, load(d, from + padded)) : hn::Zero(du);
      hn::StoreU(hn::Or(hn::ShiftRight<16>(even), odd), du, reinterpret_cast<uint32_t*>(out));
    }
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {
namespace {

const uint32_t* words(const void* x) { return static_cast<const uint32_t*>(x); }
uint32_t* words(void* x) { return static_cast<uint32_t*>(x); }

}  // namespace

HWY_EXPORT(transpose_words);
HWY_EXPORT(transpose_halves);
HWY_EXPORT(pack_values_bf16);

template <>
void transpose(const float* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols,
               float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(transpose_words)
  (words(x), ld, rows, padded_rows, cols, words(out), out_ld);
}
template <>
void transpose(const Bf16* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols,
               Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(transpose_halves)
  (reinterpret_cast<const uint16_t*>(x), ld, rows, padded_rows, cols,
   reinterpret_cast<uint16_t*>(out), out_ld);
}

// A float is one word of a row, two bfloat16 are. What is padded is less than a block.
template <typename T>
void pack_keys(const T* keys, int64_t n, int64_t padded_n, int64_t padded, int64_t block, T* out) {
  const int64_t row = padded * static_cast<int64_t>(sizeof(T)) / 4;
  for (int64_t first = 0; first < padded_n; first += block) {
    const int64_t width = std::min(block, padded_n - first);
    HWY_DYNAMIC_DISPATCH(transpose_words)
    (words(keys) + first * row, row, std::min(width, n - first), width, row,
     words(out) + first * row, width);
  }
}
template void pack_keys(const float*, int64_t, int64_t, int64_t, int64_t, float*);
template void pack_keys(const Bf16*, int64_t, int64_t, int64_t, int64_t, Bf16*);

template <>
void pack_values(const float* values, int64_t n, int64_t padded_n, int64_t padded, int64_t first,
                 int64_t width, float* out) {
  for (int64_t t = 0; t < padded_n; ++t, out += width) {
    if (t < n)
      std::copy_n(values + t * padded + first, width, out);
    else
      std::fill_n(out, width, 0.0f);
  }
}
template <>
void pack_values(const Bf16* values, int64_t n, int64_t padded_n, int64_t padded, int64_t first,
                 int64_t width, Bf16* out) {
  HWY_DYNAMIC_DISPATCH(pack_values_bf16)(values, n, padded_n, padded, first, width, out);
}

}  // namespace vit::simd
#endif
