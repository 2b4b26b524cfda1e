#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace train {

/// How a picture is varied before the model learns from it. The defaults are timm's for training.
struct AugmentOptions {
  double min_scale = 0.08;  ///< random resized crop: share of the area, from this …
  double max_scale = 1.0;   ///< … to this; both 1 with padding > 0: a shifted crop instead
  double min_ratio = 3.0 / 4.0;
  double max_ratio = 4.0 / 3.0;
  int64_t padding =
      0;              ///< instead of the random resized crop: the picture is resized to the input,
                      ///< padded by so many mirrored pixels and cropped anywhere (small pictures)
  double flip = 0.5;  ///< probability of mirroring left and right
  double color_jitter = 0.0;  ///< strength for brightness, contrast and saturation
  /// RandAugment (arXiv 1909.13719) or TrivialAugment (arXiv 2103.10158): "" for none,
  /// "rand-m9-n2-mstd0.5" (magnitude 9 of 10, 2 operations, its standard deviation), "trivial".
  std::string auto_augment = {};
  double erasing = 0.0;  ///< probability of random erasing (arXiv 1708.04896), noise per pixel
};

/// Random views of pictures for training. Immutable: many threads may call one.
class Augment {
 public:
  /// Throws vit::Error naming the option and what it may be.
  Augment(AugmentOptions options, vit::Preprocessing how);

  /// uint8 [height, width, 3] -> float32 [3, input height, input width], normalised. The same
  /// `seed` gives the same view.
  at::Tensor operator()(const at::Tensor& rgb, uint64_t seed) const;

 private:
  AugmentOptions options_;
  vit::Preprocessing how_;
};

}  // namespace train
