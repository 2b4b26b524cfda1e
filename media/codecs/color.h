#pragma once

#include <cstdint>

namespace media {

// One pixel each: samples of 0 to 255 to R, G, B, three bytes at `rgb`.

/// Ink on white: (255 - K) - C * (255 - K) / 255 and so on, rounded to the nearest.
inline void cmyk_to_rgb(int c, int m, int y, int k, uint8_t* rgb) {
  const int light = 255 - k;
  rgb[0] = static_cast<uint8_t>(light - (c * light + 127) / 255);
  rgb[1] = static_cast<uint8_t>(light - (m * light + 127) / 255);
  rgb[2] = static_cast<uint8_t>(light - (y * light + 127) / 255);
}

/// JFIF's full-range YCbCr, in Pillow's fixed point.
void ycbcr_to_rgb(int y, int cb, int cr, uint8_t* rgb);

/// TIFF's 8-bit CIE L*a*b* under D50, where a and b are signed, to sRGB. Colours that sRGB lacks
/// are clamped channel by channel.
void lab_to_rgb(uint8_t l, uint8_t a, uint8_t b, uint8_t* rgb);

}  // namespace media
