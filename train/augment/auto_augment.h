#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include <train/augment/geometry.h>
#include <train/augment/random.h>

namespace train {

/// Which random operations change the colours and the geometry of a picture.
struct AutoAugment {
  enum class Policy {
    none,
    rand,     ///< RandAugment (arXiv 1909.13719), with operations that are the stronger the larger
              ///< the magnitude
    trivial,  ///< TrivialAugment in its wide version (arXiv 2103.10158): one operation of any
              ///< magnitude
  };
  Policy policy = Policy::none;

  // Of RandAugment:
  double magnitude = 10.0;     ///< 0 to 10
  double magnitude_std = 0.0;  ///< the magnitude of each operation is drawn from a normal
                               ///< distribution around `magnitude`, then limited to 0 to 10
  int64_t operations = 2;      ///< drawn with replacement
  double probability = 0.5;    ///< that an operation that was drawn is carried out

  /// From "" (none), "trivial" or timm's notation, "rand-m9-n2-mstd0.5-p0.5-inc1", of which all
  /// parts but the first may be missing. Throws base::Error that names the part that is wrong.
  static AutoAugment parse(const std::string& text);
};

/// Changes a picture, uint8 [height, width, 3], contiguous, at random. What comes from outside of
/// it gets the colour `fill`.
void auto_augment(at::Tensor& rgb, const AutoAugment& options, const Color& fill, Random& random);

}  // namespace train
