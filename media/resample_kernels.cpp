// Vectorised for the CPU at hand at run time (Highway); plain_resample_kernels.cpp computes the
// same without.
#include "media/resample_kernels.h"

#include <algorithm>

// AVX2 and AVX-512 on x86, plus a plain fallback.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "media/resample_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Sums = hn::ScalableTag<int32_t>;
using Bytes = hn::Rebind<uint8_t, Sums>;

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

HWY_INLINE uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

/// Four vectors of values, each the weighted sum of `count` bytes that lie `stride` apart.
HWY_INLINE void blend_four(const uint8_t* in, int64_t stride, const int32_t* weight, int64_t count,
                           uint8_t* out) {
  const Sums d;
  const Bytes bytes;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Set(d, kHalf), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  const auto values = [&](const uint8_t* from)
                          HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(bytes, from)); };
  for (int64_t k = 0; k < count; ++k, in += stride) {
    const auto w = hn::Set(d, weight[k]);
    sum0 = hn::Add(sum0, hn::Mul(values(in), w));
    sum1 = hn::Add(sum1, hn::Mul(values(in + lanes), w));
    sum2 = hn::Add(sum2, hn::Mul(values(in + 2 * lanes), w));
    sum3 = hn::Add(sum3, hn::Mul(values(in + 3 * lanes), w));
  }
  const auto put = [&](auto sum, uint8_t* to) HWY_ATTR {
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kWeightBits>(sum)), bytes, to);
  };
  put(sum0, out);
  put(sum1, out + lanes);
  put(sum2, out + 2 * lanes);
  put(sum3, out + 3 * lanes);
}

/// The same for one vector.
HWY_INLINE void blend_one(const uint8_t* in, int64_t stride, const int32_t* weight, int64_t count,
                          uint8_t* out) {
  const Sums d;
  const Bytes bytes;
  auto sum = hn::Set(d, kHalf);
  for (int64_t k = 0; k < count; ++k, in += stride)
    sum = hn::Add(sum, hn::Mul(hn::PromoteTo(d, hn::LoadU(bytes, in)), hn::Set(d, weight[k])));
  hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kWeightBits>(sum)), bytes, out);
}

/// The same for `n` values.
HWY_INLINE void blend(const uint8_t* in, int64_t stride, const int32_t* weight, int64_t count,
                      int64_t n, uint8_t* out) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Sums()));
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) blend_four(in + i, stride, weight, count, out + i);
  for (; i + lanes <= n; i += lanes) blend_one(in + i, stride, weight, count, out + i);
  if (i < n && n >= lanes) {  // the last vector overlaps the one before
    blend_one(in + n - lanes, stride, weight, count, out + n - lanes);
    return;
  }
  for (; i < n; ++i) {
    int32_t sum = kHalf;
    for (int64_t k = 0; k < count; ++k) sum += in[i + k * stride] * weight[k];
    out[i] = to_byte(sum);
  }
}

/// Rows are filtered kRows at a time: laid side by side, pixel x of all of them is one run of bytes
/// with the same weight.
constexpr int kRows = 16;

template <int C>
HWY_INLINE void along_block(const uint8_t* in, int64_t in_stride, const AxisWeights& w,
                            uint8_t* out, int64_t out_stride, uint8_t* scratch) {
  const int64_t width = w.end() - w.begin();
  for (int64_t x = 0; x < width; ++x)
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < C; ++c) scratch[(x * kRows + r) * C + c] = in[r * in_stride + x * C + c];
  for (int64_t x = 0; x < w.positions(); ++x) {
    uint8_t pixels[kRows * C];
    blend(scratch + (w.first[x] - w.begin()) * kRows * C, kRows * C, w.weight.data() + x * w.taps,
          w.count[x], kRows * C, pixels);
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < C; ++c) out[r * out_stride + x * C + c] = pixels[r * C + c];
  }
}

template <int C>
HWY_INLINE void along_channels(const uint8_t* in, int64_t in_stride, int64_t rows,
                               const AxisWeights& w, uint8_t* out, int64_t out_stride,
                               std::vector<uint8_t>& scratch) {
  if (rows >= kRows) {
    scratch.resize((w.end() - w.begin()) * kRows * C);
    for (int64_t y = 0; y < rows; y += kRows) {
      const int64_t top = std::min(y, rows - kRows);  // the last block overlaps the one before
      along_block<C>(in + top * in_stride, in_stride, w, out + top * out_stride, out_stride,
                     scratch.data());
    }
    return;
  }
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < w.positions(); ++x)
      blend(in + y * in_stride + (w.first[x] - w.begin()) * C, C, w.weight.data() + x * w.taps,
            w.count[x], C, out + y * out_stride + x * C);
}

void along_rows(const uint8_t* in, int64_t in_stride, int64_t rows, int channels,
                const AxisWeights& w, uint8_t* out, int64_t out_stride,
                std::vector<uint8_t>& scratch) {
  switch (channels) {
    case 1:
      return along_channels<1>(in, in_stride, rows, w, out, out_stride, scratch);
    case 2:
      return along_channels<2>(in, in_stride, rows, w, out, out_stride, scratch);
    case 3:
      return along_channels<3>(in, in_stride, rows, w, out, out_stride, scratch);
    default:
      return along_channels<4>(in, in_stride, rows, w, out, out_stride, scratch);
  }
}

void across_rows(const uint8_t* in, int64_t in_stride, int64_t row_bytes, const AxisWeights& w,
                 uint8_t* out, int64_t out_stride) {
  for (int64_t y = 0; y < w.positions(); ++y)
    blend(in + (w.first[y] - w.begin()) * in_stride, in_stride, w.weight.data() + y * w.taps,
          w.count[y], row_bytes, out + y * out_stride);
}

}  // namespace
}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace media {

HWY_EXPORT(along_rows);
HWY_EXPORT(across_rows);

void resample_along_rows(const uint8_t* in, int64_t in_stride, int64_t rows, int channels,
                         const AxisWeights& weights, uint8_t* out, int64_t out_stride,
                         std::vector<uint8_t>& scratch) {
  HWY_DYNAMIC_DISPATCH(along_rows)
  (in, in_stride, rows, channels, weights, out, out_stride, scratch);
}
void resample_across_rows(const uint8_t* in, int64_t in_stride, int64_t row_bytes,
                          const AxisWeights& weights, uint8_t* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(across_rows)(in, in_stride, row_bytes, weights, out, out_stride);
}

}  // namespace media
#endif
