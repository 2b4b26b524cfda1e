#include "media/codecs/color.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace media {
namespace {

constexpr int kFraction = 6;  // bits

/// What a chroma sample adds to a channel, for each of its values.
constexpr std::array<int16_t, 256> chroma_table(double factor) {
  std::array<int16_t, 256> table{};
  for (int i = 0; i < 256; ++i)  // the cast cuts towards zero, as Pillow's table does
    table[static_cast<size_t>(i)] =
        static_cast<int16_t>(factor * (i - 128) * (1 << kFraction) + 0.5);
  return table;
}

constexpr auto kRedOfCr = chroma_table(1.402);
constexpr auto kGreenOfCb = chroma_table(-0.34414);
constexpr auto kGreenOfCr = chroma_table(-0.71414);
constexpr auto kBlueOfCb = chroma_table(1.772);

uint8_t clamp(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

/// The inverse of L*a*b*'s cube root with its straight part near black.
double inverse_root(double t) {
  constexpr double kKnee = 6.0 / 29;
  return t > kKnee ? t * t * t : 3 * kKnee * kKnee * (t - 4.0 / 29);
}

uint8_t srgb_level(double linear) {
  const double light = std::clamp(linear, 0.0, 1.0);
  const double level =
      light <= 0.0031308 ? 12.92 * light : 1.055 * std::pow(light, 1 / 2.4) - 0.055;
  return static_cast<uint8_t>(std::lround(255 * level));
}

}  // namespace

void ycbcr_to_rgb(int y, int cb, int cr, uint8_t* rgb) {
  const auto blue = static_cast<size_t>(cb), red = static_cast<size_t>(cr);
  rgb[0] = clamp(y + (kRedOfCr[red] >> kFraction));
  rgb[1] = clamp(y + ((kGreenOfCb[blue] + kGreenOfCr[red]) >> kFraction));
  rgb[2] = clamp(y + (kBlueOfCb[blue] >> kFraction));
}

void lab_to_rgb(uint8_t l, uint8_t a, uint8_t b, uint8_t* rgb) {
  const double fy = (l * 100.0 / 255 + 16) / 116;
  const double x = 0.9642 * inverse_root(fy + static_cast<int8_t>(a) / 500.0);
  const double y = inverse_root(fy);
  const double z = 0.8249 * inverse_root(fy - static_cast<int8_t>(b) / 200.0);
  // From D50 to sRGB's primaries under D65, adapted after Bradford.
  rgb[0] = srgb_level(3.1338561 * x - 1.6168667 * y - 0.4906146 * z);
  rgb[1] = srgb_level(-0.9787684 * x + 1.9161415 * y + 0.0334540 * z);
  rgb[2] = srgb_level(0.0719453 * x - 0.2289914 * y + 1.4052427 * z);
}

}  // namespace media
