#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace media {

/// A rectangle of pixels.
struct Region {
  int64_t top = 0;
  int64_t left = 0;
  vit::Size2d size;
  bool operator==(const Region&) const = default;
};

/// Resamples uint8 [height, width, channels] (1 to 4 channels) to `size` and returns `region` of
/// the result, computing no other pixel. The arithmetic is Pillow's: separable filters (box,
/// triangle for bilinear, Hamming's window, cubic with a = -0.5, Lanczos of three lobes), widened
/// by the scale when shrinking, weights of 22 fractional bits that sum to one at the borders,
/// rounding and clamping to 0..255 between the passes. The horizontal pass comes first, except
/// where Pillow 13 starts with the vertical one: on a shrink in height by more than twice what the
/// width loses.
///
/// Throws c10::Error for other tensors, for empty sizes and for a region outside of `size`.
at::Tensor resize(const at::Tensor& image, vit::Size2d size, const Region& region,
                  vit::Interpolation interpolation);

/// The whole resampled picture.
at::Tensor resize(const at::Tensor& image, vit::Size2d size, vit::Interpolation interpolation);

}  // namespace media
