#include "media/resample_kernels.h"

#include <algorithm>

namespace media {
namespace {

// The bodies are inlined into one function per instruction set, where the compiler vectorises their
// loops of constant length.
#define VITOME_INLINE [[gnu::always_inline]] inline

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

VITOME_INLINE uint8_t to_byte(int32_t sum) {
  const int32_t value = sum >> kWeightBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

/// `N` values, each the weighted sum of `count` bytes that lie `stride` apart.
template <int N>
VITOME_INLINE void blend(const uint8_t* in, int64_t stride, const int32_t* weight, int64_t count,
                         uint8_t* out) {
  int32_t sum[N];
  for (int i = 0; i < N; ++i) sum[i] = kHalf;
  for (int64_t k = 0; k < count; ++k) {
    const uint8_t* line = in + k * stride;
    const int32_t w = weight[k];
    for (int i = 0; i < N; ++i) sum[i] += line[i] * w;
  }
  for (int i = 0; i < N; ++i) out[i] = to_byte(sum[i]);
}

/// Rows are filtered kRows at a time: laid side by side, pixel x of all of them is one run of bytes
/// with the same weight.
constexpr int kRows = 16;

template <int C>
VITOME_INLINE void horizontal_block(const uint8_t* in, int64_t in_stride, const AxisWeights& w,
                                    uint8_t* out, int64_t out_stride, uint8_t* scratch) {
  const int64_t width = w.end() - w.begin();
  for (int64_t x = 0; x < width; ++x)
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < C; ++c) scratch[(x * kRows + r) * C + c] = in[r * in_stride + x * C + c];
  for (int64_t x = 0; x < w.positions(); ++x) {
    uint8_t pixels[kRows * C];
    blend<kRows * C>(scratch + (w.first[x] - w.begin()) * kRows * C, kRows * C,
                     w.weight.data() + x * w.taps, w.count[x], pixels);
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < C; ++c) out[r * out_stride + x * C + c] = pixels[r * C + c];
  }
}

template <int C>
VITOME_INLINE void horizontal_rows(const uint8_t* in, int64_t in_stride, int64_t rows,
                                   const AxisWeights& w, uint8_t* out, int64_t out_stride,
                                   std::vector<uint8_t>& scratch) {
  if (rows >= kRows) {
    scratch.resize((w.end() - w.begin()) * kRows * C);
    for (int64_t y = 0; y < rows; y += kRows) {
      const int64_t top = std::min(y, rows - kRows);  // the last block overlaps the one before
      horizontal_block<C>(in + top * in_stride, in_stride, w, out + top * out_stride, out_stride,
                          scratch.data());
    }
    return;
  }
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < w.positions(); ++x)
      blend<C>(in + y * in_stride + (w.first[x] - w.begin()) * C, C, w.weight.data() + x * w.taps,
               w.count[x], out + y * out_stride + x * C);
}

VITOME_INLINE void horizontal(const uint8_t* in, int64_t in_stride, int64_t rows, int channels,
                              const AxisWeights& w, uint8_t* out, int64_t out_stride,
                              std::vector<uint8_t>& scratch) {
  switch (channels) {
    case 1:
      return horizontal_rows<1>(in, in_stride, rows, w, out, out_stride, scratch);
    case 2:
      return horizontal_rows<2>(in, in_stride, rows, w, out, out_stride, scratch);
    case 3:
      return horizontal_rows<3>(in, in_stride, rows, w, out, out_stride, scratch);
    default:
      return horizontal_rows<4>(in, in_stride, rows, w, out, out_stride, scratch);
  }
}

VITOME_INLINE void vertical(const uint8_t* in, int64_t in_stride, int64_t row_bytes,
                            const AxisWeights& w, uint8_t* out, int64_t out_stride) {
  constexpr int kRun = 64;
  for (int64_t y = 0; y < w.positions(); ++y) {
    const uint8_t* source = in + (w.first[y] - w.begin()) * in_stride;
    const int32_t* weight = w.weight.data() + y * w.taps;
    uint8_t* row = out + y * out_stride;
    int64_t x = 0;
    for (; x + kRun <= row_bytes; x += kRun)
      blend<kRun>(source + x, in_stride, weight, w.count[y], row + x);
    for (; x < row_bytes; ++x) blend<1>(source + x, in_stride, weight, w.count[y], row + x);
  }
}

#if defined(__x86_64__) && defined(__GNUC__)
#define VITOME_HAS_AVX2
__attribute__((target("avx2"))) void horizontal_avx2(const uint8_t* in, int64_t in_stride,
                                                     int64_t rows, int channels,
                                                     const AxisWeights& w, uint8_t* out,
                                                     int64_t out_stride,
                                                     std::vector<uint8_t>& scratch) {
  horizontal(in, in_stride, rows, channels, w, out, out_stride, scratch);
}

__attribute__((target("avx2"))) void vertical_avx2(const uint8_t* in, int64_t in_stride,
                                                   int64_t row_bytes, const AxisWeights& w,
                                                   uint8_t* out, int64_t out_stride) {
  vertical(in, in_stride, row_bytes, w, out, out_stride);
}
#endif

void horizontal_plain(const uint8_t* in, int64_t in_stride, int64_t rows, int channels,
                      const AxisWeights& w, uint8_t* out, int64_t out_stride,
                      std::vector<uint8_t>& scratch) {
  horizontal(in, in_stride, rows, channels, w, out, out_stride, scratch);
}

void vertical_plain(const uint8_t* in, int64_t in_stride, int64_t row_bytes, const AxisWeights& w,
                    uint8_t* out, int64_t out_stride) {
  vertical(in, in_stride, row_bytes, w, out, out_stride);
}

#undef VITOME_INLINE

}  // namespace

const ResampleKernels& resample_kernels() {
#ifdef VITOME_HAS_AVX2
  static const ResampleKernels chosen = __builtin_cpu_supports("avx2")
                                            ? ResampleKernels{horizontal_avx2, vertical_avx2}
                                            : ResampleKernels{horizontal_plain, vertical_plain};
#else
  static const ResampleKernels chosen{horizontal_plain, vertical_plain};
#endif
  return chosen;
}

}  // namespace media
