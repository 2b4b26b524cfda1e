#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <media/resize.h>
#include <train/augment/random.h>
#include <vit/config.h>

namespace train {

/// The shares of a picture's area and the aspect ratios, width / height, that crops may have.
struct CropRange {
  double min_scale, max_scale;
  double min_ratio, max_ratio;
};

/// A random part of a picture: its share of the area uniform, its aspect ratio log-uniform
/// (Inception's crop, arXiv 1409.4842). Where ten tries find none that lies within the picture:
/// the largest part in its centre with an allowed ratio.
media::Region random_region(vit::Size2d picture, const CropRange& range, Random& random);

/// uint8 [height, width, 3], contiguous, shifted at random by at most `padding` pixels along each
/// axis; where it does not reach any more its border is mirrored (without repeating the outermost
/// pixels). `padding` must be less than height and width.
at::Tensor random_shift(const at::Tensor& rgb, int64_t padding, Random& random);

}  // namespace train
