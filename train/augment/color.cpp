#include "train/augment/color.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace train {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int64_t, 256>;

std::span<uint8_t> bytes(at::Tensor& rgb) {
  return {rgb.mutable_data_ptr<uint8_t>(), static_cast<size_t>(rgb.numel())};
}

template <typename Function>
Table make_table(const Function& function) {
  Table table;
  for (int value = 0; value < 256; ++value) table[value] = function(value);
  return table;
}

void look_up(at::Tensor& rgb, const Table& table) {
  for (uint8_t& value : bytes(rgb)) value = table[value];
}

void look_up(at::Tensor& rgb, const std::array<Table, 3>& tables) {
  const std::span<uint8_t> values = bytes(rgb);
  for (size_t i = 0; i + 2 < values.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) values[i + c] = tables[c][values[i + c]];
}

std::array<Histogram, 3> histograms(at::Tensor& rgb) {
  std::array<Histogram, 3> counts{};
  const std::span<uint8_t> values = bytes(rgb);
  for (size_t i = 0; i + 2 < values.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) ++counts[c][values[i + c]];
  return counts;
}

Table identity() {
  return make_table([](int value) { return static_cast<uint8_t>(value); });
}

Table autocontrast_table(const Histogram& counts) {
  int low = 0, high = 255;
  while (low < 255 && counts[low] == 0) ++low;
  while (high > 0 && counts[high] == 0) --high;
  if (high <= low) return identity();
  const double scale = 255.0 / (high - low), offset = -low * scale;
  return make_table([&](int value) {
    return static_cast<uint8_t>(std::clamp(static_cast<int>(value * scale + offset), 0, 255));
  });
}

Table equalize_table(const Histogram& counts) {
  int64_t pixels = 0, used = 0, last = 0;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    pixels += count;
    ++used;
    last = count;
  }
  const int64_t step = (pixels - last) / 255;
  if (used <= 1 || step == 0) return identity();
  int64_t sum = step / 2;
  return make_table([&](int value) {
    const int64_t level = sum / step;
    sum += counts[value];
    return static_cast<uint8_t>(std::min<int64_t>(level, 255));
  });
}

/// Image.blend, whose arithmetic is in float32: from `base` by `factor` of the way to `value`.
inline uint8_t blend(int base, int value, float factor) {
  const float blended = static_cast<float>(base) + factor * static_cast<float>(value - base);
  return static_cast<uint8_t>(std::min(std::max(blended, 0.0F), 255.0F));
}

/// The gray value of Image.convert("L").
inline int gray(const uint8_t* rgb) {
  return (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16;
}

/// ImageFilter.SMOOTH: the pixel weighs 5, each of its eight neighbours 1; the border stays.
std::vector<uint8_t> smooth(const uint8_t* in, int64_t height, int64_t width) {
  const int64_t stride = width * 3;
  std::vector<uint8_t> out(in, in + height * stride);
  std::vector<uint16_t> column(stride);  // sums of three rows
  for (int64_t y = 1; y + 1 < height; ++y) {
    const uint8_t* row = in + y * stride;
    for (int64_t i = 0; i < stride; ++i)
      column[i] = static_cast<uint16_t>(row[i - stride] + row[i] + row[i + stride]);
    uint8_t* result = out.data() + y * stride;
    for (int64_t i = 3; i + 3 < stride; ++i) {
      // At most 13 * 255 + 6: 16 bits are enough, and twice as fast as 32.
      const auto sum =
          static_cast<uint16_t>(column[i - 3] + column[i] + column[i + 3] + 4 * row[i] + 6);
      result[i] = static_cast<uint8_t>(sum / uint16_t{13});
    }
  }
  return out;
}

}  // namespace

void autocontrast(at::Tensor& rgb) {
  const auto counts = histograms(rgb);
  look_up(rgb, {autocontrast_table(counts[0]), autocontrast_table(counts[1]),
                autocontrast_table(counts[2])});
}

void equalize(at::Tensor& rgb) {
  const auto counts = histograms(rgb);
  look_up(rgb, {equalize_table(counts[0]), equalize_table(counts[1]), equalize_table(counts[2])});
}

void invert(at::Tensor& rgb) {
  for (uint8_t& value : bytes(rgb)) value = ~value;
}

void posterize(at::Tensor& rgb, int bits) {
  const auto mask = static_cast<uint8_t>(0xff << (8 - bits));
  for (uint8_t& value : bytes(rgb)) value &= mask;
}

void solarize(at::Tensor& rgb, int threshold) {
  for (uint8_t& value : bytes(rgb)) value = value < threshold ? value : ~value;
}

void solarize_add(at::Tensor& rgb, int amount) {
  for (uint8_t& value : bytes(rgb))
    value = value < 128 ? static_cast<uint8_t>(std::min(value + amount, 255)) : value;
}

void adjust_color(at::Tensor& rgb, double factor) {
  const std::span<uint8_t> values = bytes(rgb);
  const auto share = static_cast<float>(factor);
  for (size_t i = 0; i + 2 < values.size(); i += 3) {
    const int base = gray(&values[i]);
    for (size_t c = 0; c < 3; ++c) values[i + c] = blend(base, values[i + c], share);
  }
}

void adjust_contrast(at::Tensor& rgb, double factor) {
  const std::span<uint8_t> values = bytes(rgb);
  if (values.empty()) return;
  int64_t sum = 0;
  for (size_t i = 0; i + 2 < values.size(); i += 3) sum += gray(&values[i]);
  const double mean = static_cast<double>(sum) / (static_cast<double>(values.size()) / 3.0);
  const int base = static_cast<int>(mean + 0.5);
  look_up(rgb,
          make_table([&](int value) { return blend(base, value, static_cast<float>(factor)); }));
}

void adjust_brightness(at::Tensor& rgb, double factor) {
  look_up(rgb, make_table([&](int value) { return blend(0, value, static_cast<float>(factor)); }));
}

void adjust_sharpness(at::Tensor& rgb, double factor) {
  const std::span<uint8_t> values = bytes(rgb);
  const std::vector<uint8_t> soft = smooth(values.data(), rgb.size(0), rgb.size(1));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = blend(soft[i], values[i], static_cast<float>(factor));
}

}  // namespace train
