// Row kernels of training/simd.h.

#include <algorithm>
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

void layer_norm_backward_of(const LayerNormRow& row, int64_t dim, const float* weight, float eps,
                            float* dweight, float* dbias) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float share = 1.0f / static_cast<float>(dim);
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < dim; i += lanes) sum = hn::Add(sum, load(d, row.x + i));
  const auto mean = hn::Set(d, sum_lanes(d, sum) * share);
  auto squares = hn::Zero(d), weighted = hn::Zero(d), correlated = hn::Zero(d);
  for (int64_t i = 0; i < dim; i += lanes) {
    const auto centered = hn::Sub(load(d, row.x + i), mean);
    const auto g = hn::Mul(load(d, row.dy + i), load(d, weight + i));
    squares = hn::MulAdd(centered, centered, squares);
    weighted = hn::Add(weighted, g);
    correlated = hn::MulAdd(g, centered, correlated);
  }
  const float scale = 1.0f / std::sqrt(sum_lanes(d, squares) * share + eps);
  const auto factor = hn::Set(d, scale);
  const auto mean_g = hn::Set(d, sum_lanes(d, weighted) * share);
  const auto slope = hn::Set(d, sum_lanes(d, correlated) * share * scale);
  for (int64_t i = 0; i < dim; i += lanes) {
    const auto normal = hn::Mul(hn::Sub(load(d, row.x + i), mean), factor);
    const auto dy = load(d, row.dy + i);
    put(d, hn::MulAdd(dy, normal, load(d, dweight + i)), dweight + i);
    put(d, hn::Add(dy, load(d, dbias + i)), dbias + i);
    const auto g = hn::Sub(hn::Mul(dy, load(d, weight + i)), mean_g);
    const auto dx = hn::Mul(hn::NegMulAdd(normal, slope, g), factor);
    put(d, hn::Add(dx, load(d, row.residual + i)), row.dx + i);
  }
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
void transpose_words(const uint32_t* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols,
                     uint32_t* out, int64_t out_ld) {
  transpose_of(x, ld, rows, padded_rows, cols, out, out_ld);
}
void transpose_halves(const uint16_t* x, int64_t ld, int64_t rows, int64_t padded_rows,
                      int64_t cols, uint16_t* out, int64_t out_ld) {
  transpose_of(x, ld, rows, padded_rows, cols, out, out_ld);
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

HWY_EXPORT(layer_norm_backward_of);
HWY_EXPORT(softmax_backward_f32);
HWY_EXPORT(softmax_backward_bf16);
HWY_EXPORT(sum_rows_f32);
HWY_EXPORT(sum_rows_bf16);
HWY_EXPORT(transpose_words);
HWY_EXPORT(transpose_halves);

void layer_norm_backward(const LayerNormRow& row, int64_t dim, const float* weight, float eps,
                         float* dweight, float* dbias) {
  HWY_DYNAMIC_DISPATCH(layer_norm_backward_of)(row, dim, weight, eps, dweight, dbias);
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
template <>
void transpose(const float* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols,
               float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(transpose_words)
  (reinterpret_cast<const uint32_t*>(x), ld, rows, padded_rows, cols,
   reinterpret_cast<uint32_t*>(out), out_ld);
}
template <>
void transpose(const Bf16* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols,
               Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(transpose_halves)
  (reinterpret_cast<const uint16_t*>(x), ld, rows, padded_rows, cols,
   reinterpret_cast<uint16_t*>(out), out_ld);
}

}  // namespace vit::simd
#endif
