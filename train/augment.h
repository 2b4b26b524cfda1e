#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include <train/augment/auto_augment.h>
#include <vit/config.h>

namespace train {

/// How a picture is varied before the model learns from it. The defaults are timm's for training.
struct AugmentOptions {
  double min_scale = 0.08;       ///< random resized crop: share of the area, from this …
  double max_scale = 1.0;        ///< … to this
  double min_ratio = 3.0 / 4.0;  ///< its aspect ratio, width / height, from this …
  double max_ratio = 4.0 / 3.0;  ///< … to this
  bool random_interpolation =
      true;             ///< of the crop: bilinear or bicubic at random, otherwise the model's
  int64_t padding = 0;  ///< above 0, instead of the random resized crop: the picture is fitted to
                        ///< the input, padded by so many mirrored pixels and cropped anywhere
                        ///< (small pictures)
  double flip = 0.5;    ///< probability of mirroring left and right
  double color_jitter = 0.0;  ///< strength for brightness, contrast and saturation, 0 to 1
  /// RandAugment (arXiv 1909.13719) or TrivialAugment (arXiv 2103.10158): "" for none,
  /// "rand-m9-n2-mstd0.5" (magnitude 9 of 10, 2 operations, its standard deviation), "trivial". See
  /// AutoAugment::parse.
  std::string auto_augment = {};
  double erasing = 0.0;  ///< probability of random erasing (arXiv 1708.04896), noise per pixel
};

/// Random views of pictures for training. Immutable: many threads may call one.
class Augment {
 public:
  /// Throws base::Error naming the option and what it may be.
  Augment(AugmentOptions options, vit::PicturePreprocessing how);

  /// uint8 [height, width, 3] -> float32 [C, input height, input width], normalised, C
  /// being 3, or 1 for a model of gray pictures. The same `seed` gives the same view. Throws
  /// c10::Error for other tensors.
  at::Tensor operator()(const at::Tensor& rgb, uint64_t seed) const;

  const vit::PicturePreprocessing& preprocessing() const { return how_; }

 private:
  at::Tensor crop(const at::Tensor& rgb, Random& random) const;

  AugmentOptions options_;
  vit::PicturePreprocessing how_;
  vit::PicturePreprocessing whole_;  ///< the same, without what evaluation crops
  AutoAugment auto_augment_;
  Color fill_;  ///< the mean colour
  bool is_gray_ = false;
};

}  // namespace train
