#pragma once

#include <cstdint>
#include <vector>

namespace media {

/// For each output position of one axis: where its source pixels start, how many there are and what
/// each of them weighs.
struct AxisWeights {
  int64_t taps = 0;  ///< room for weights per output position
  std::vector<int64_t> first;
  std::vector<int64_t> count;
  std::vector<int32_t> weight;  ///< [positions, taps], fixed point with kWeightBits

  int64_t positions() const { return static_cast<int64_t>(first.size()); }
  /// Source pixels begin() .. end() - 1 are used.
  int64_t begin() const { return first.front(); }
  int64_t end() const { return first.back() + count.back(); }
};

/// An 8-bit pixel, a weight of 22 fractional bits, a sign and one bit for the overshoot of the
/// cubic fill 32 bits.
inline constexpr int kWeightBits = 22;

// The two passes of a separable filter over rows of interleaved pixels, with rounding and clamping
// after each. Both take source positions relative to weights.begin(); strides are in bytes.

/// Filters along each of `rows` rows of pixels of 1 to 4 channels. `scratch` grows as needed.
void resample_along_rows(const uint8_t* in, int64_t in_stride, int64_t rows, int channels,
                         const AxisWeights& weights, uint8_t* out, int64_t out_stride,
                         std::vector<uint8_t>& scratch);
/// Filters across rows of `row_bytes` bytes.
void resample_across_rows(const uint8_t* in, int64_t in_stride, int64_t row_bytes,
                          const AxisWeights& weights, uint8_t* out, int64_t out_stride);

}  // namespace media
