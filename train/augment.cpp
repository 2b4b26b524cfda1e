#include "train/augment.h"

#include <array>
#include <cmath>
#include <utility>

#include <c10/util/Exception.h>

#include <base/error.h>
#include <media/preprocess.h>
#include <train/augment/color.h>
#include <train/augment/crop.h>
#include <train/augment/erasing.h>

namespace train {
namespace {

void check_range(base::Setting low_name, double low, base::Setting high_name, double high,
                 double least, double most) {
  if (!(low >= least && low <= high && high <= most))
    base::fail(low_name, " is ", low, " and ", high_name, " is ", high, ", expected from ", least,
               " to ", most, ", the one no more than the other");
}

void check_share(base::Setting name, double value, const char* meaning) {
  if (!(value >= 0.0 && value <= 1.0))
    base::fail(name, " is ", value, ", expected ", meaning, " from 0 to 1");
}

void check(const AugmentOptions& options, const vit::PicturePreprocessing& how) {
  check_range({"AugmentOptions::min_scale"}, options.min_scale, {"AugmentOptions::max_scale"},
              options.max_scale, 1e-4, 1.0);
  check_range({"AugmentOptions::min_ratio"}, options.min_ratio, {"AugmentOptions::max_ratio"},
              options.max_ratio, 1e-2, 1e2);
  if (how.max_patches)
    base::fail(
        "training: the model takes pictures of any aspect, and views of pictures are of one "
        "size; give it one by set_image_size()");
  const int64_t side = std::min(how.input_size.height, how.input_size.width);
  if (options.padding < 0 || options.padding >= side)
    base::fail(base::Setting{"AugmentOptions::padding"}, " is ", options.padding,
               ", expected 0 to ", side - 1, " pixels for an input of ", how.input_size.height,
               " x ", how.input_size.width);
  check_share({"AugmentOptions::flip"}, options.flip, "a probability");
  check_share({"AugmentOptions::color_jitter"}, options.color_jitter, "a strength");
  check_share({"AugmentOptions::erasing"}, options.erasing, "a probability");
}

/// Brightness, contrast and saturation change in random order by random factors around one.
void jitter_colors(at::Tensor& rgb, double strength, Random& random) {
  std::array adjustments{adjust_brightness, adjust_contrast, adjust_color};
  for (int64_t left = adjustments.size(); left > 0; --left) {
    std::swap(adjustments[random.below(left)], adjustments[left - 1]);
    adjustments[left - 1](rgb, random.uniform(1.0 - strength, 1.0 + strength));
  }
}

}  // namespace

Augment::Augment(AugmentOptions options, vit::PicturePreprocessing how)
    : options_(std::move(options)), how_(std::move(how)), whole_(how_) {
  is_gray_ = media::channels_of(how_) == 1;
  check(options_, how_);
  // Views keep their colours to the end.
  whole_.mean.resize(3, how_.mean[0]);
  whole_.std.resize(3, how_.std[0]);
  if (!whole_.fill.empty()) whole_.fill.resize(3, whole_.fill[0]);
  whole_.crop_pct = 1.0;
  whole_.sizes.reset();
  whole_.crop = true;
  auto_augment_ = AutoAugment::parse(options_.auto_augment);
  for (size_t c = 0; c < fill_.size(); ++c)
    fill_[c] =
        static_cast<uint8_t>(std::clamp(std::round(whole_.mean[c] / how_.rescale), 0.0, 255.0));
}

at::Tensor Augment::crop(const at::Tensor& rgb, Random& random) const {
  if (options_.padding > 0)
    return random_shift(media::resize_and_crop(rgb, whole_).contiguous(), options_.padding, random);
  const CropRange range{options_.min_scale, options_.max_scale, options_.min_ratio,
                        options_.max_ratio};
  const media::Region region = random_region({rgb.size(0), rgb.size(1)}, range, random);
  vit::Interpolation interpolation = how_.interpolation;
  if (options_.random_interpolation)
    interpolation = random.chance(0.5) ? vit::Interpolation::bilinear : vit::Interpolation::bicubic;
  const at::Tensor part =
      rgb.narrow(0, region.top, region.size.height).narrow(1, region.left, region.size.width);
  return media::resize(part, how_.input_size, interpolation);
}

at::Tensor Augment::operator()(const at::Tensor& rgb, uint64_t seed) const {
  TORCH_CHECK(rgb.dim() == 3 && rgb.size(2) == 3 && rgb.scalar_type() == at::kByte &&
                  rgb.numel() > 0 && rgb.device().is_cpu(),
              "Augment: expected a uint8 CPU tensor [height, width, 3] with pixels, got ",
              rgb.toString(), " of shape ", rgb.sizes());
  Random random(seed);
  at::Tensor view = crop(rgb, random);
  if (random.chance(options_.flip)) mirror(view);
  if (options_.color_jitter > 0.0) jitter_colors(view, options_.color_jitter, random);
  auto_augment(view, auto_augment_, fill_, random);
  at::Tensor pixels = media::normalize(is_gray_ ? media::to_gray(view) : view, how_);
  if (random.chance(options_.erasing)) random_erase(pixels, random);
  return pixels;
}

}  // namespace train
