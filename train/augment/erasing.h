#pragma once

#include <ATen/core/Tensor.h>

#include <train/augment/random.h>

namespace train {

/// Random erasing (arXiv 1708.04896): replaces a random rectangle of a normalised picture, float32
/// [channels, height, width], contiguous, in place, by standard normal noise. Its share of the area
/// is uniform from 0.02 to 1/3, its aspect ratio log-uniform from 0.3 to 1/0.3. A picture in which
/// ten tries find no rectangle that leaves something of both sides stays as it is.
void random_erase(at::Tensor& pixels, Random& random);

}  // namespace train
