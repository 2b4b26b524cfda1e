// resample_kernels.h for a build without Highway.
#include <algorithm>

#include <media/resample_kernels.h>

namespace media {
namespace {

/// The weighted sum of `count` bytes that lie `stride` apart.
uint8_t blend(const uint8_t* in, int64_t stride, const int32_t* weight, int64_t count) {
  int32_t sum = 1 << (kWeightBits - 1);
  for (int64_t k = 0; k < count; ++k) sum += in[k * stride] * weight[k];
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

}  // namespace

void resample_along_rows(const uint8_t* in, int64_t in_stride, int64_t rows, int channels,
                         const AxisWeights& weights, uint8_t* out, int64_t out_stride,
                         std::vector<uint8_t>&) {
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < weights.positions(); ++x)
      for (int c = 0; c < channels; ++c)
        out[y * out_stride + x * channels + c] =
            blend(in + y * in_stride + (weights.first[x] - weights.begin()) * channels + c,
                  channels, weights.weight.data() + x * weights.taps, weights.count[x]);
}

void resample_across_rows(const uint8_t* in, int64_t in_stride, int64_t row_bytes,
                          const AxisWeights& weights, uint8_t* out, int64_t out_stride) {
  // Row after row of the source, which the compiler vectorises.
  std::vector<int32_t> sums(static_cast<size_t>(row_bytes));
  for (int64_t y = 0; y < weights.positions(); ++y) {
    std::fill(sums.begin(), sums.end(), 1 << (kWeightBits - 1));
    for (int64_t k = 0; k < weights.count[y]; ++k) {
      const uint8_t* row = in + (weights.first[y] - weights.begin() + k) * in_stride;
      const int32_t weight = weights.weight[y * weights.taps + k];
      for (int64_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weight;
    }
    for (int64_t x = 0; x < row_bytes; ++x)
      out[y * out_stride + x] = static_cast<uint8_t>(std::clamp(sums[x] >> kWeightBits, 0, 255));
  }
}

}  // namespace media
