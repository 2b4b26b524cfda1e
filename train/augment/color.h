#pragma once

#include <ATen/core/Tensor.h>

namespace train {

// What changes the colours of a picture, uint8 [height, width, 3], contiguous, in place. The
// results are those of Pillow's functions of the same names, bit for bit.

/// ImageOps.autocontrast: the values of each channel are spread from 0 to 255.
void autocontrast(at::Tensor& rgb);

/// ImageOps.equalize: all values of each channel become about equally frequent.
void equalize(at::Tensor& rgb);

/// ImageOps.invert.
void invert(at::Tensor& rgb);

/// ImageOps.posterize: keeps the upper `bits`, 1 to 8, of each value.
void posterize(at::Tensor& rgb, int bits);

/// ImageOps.solarize: inverts values from `threshold`, 0 to 256, upwards.
void solarize(at::Tensor& rgb, int threshold);

/// Adds `amount`, 0 to 255, to values below 128 (AutoAugment, arXiv 1805.09501).
void solarize_add(at::Tensor& rgb, int amount);

// ImageEnhance: `factor` 1 changes nothing, 0 gives a gray, even, black or soft picture, more than
// 1 the opposite.
void adjust_color(at::Tensor& rgb, double factor);
void adjust_contrast(at::Tensor& rgb, double factor);
void adjust_brightness(at::Tensor& rgb, double factor);
void adjust_sharpness(at::Tensor& rgb, double factor);

}  // namespace train
