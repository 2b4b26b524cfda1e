#include "train/mix.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <ATen/ATen.h>

#include <base/error.h>
#include <train/augment/random.h>

namespace train {
namespace {

/// Logarithm of a gamma variate of that shape (Marsaglia and Tsang, 2000); the variate itself would
/// underflow for small shapes.
double log_gamma_variate(double shape, Random& random) {
  if (shape < 1.0) {
    const double of_larger_shape = log_gamma_variate(shape + 1.0, random);
    return of_larger_shape + std::log1p(-random.uniform()) / shape;
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = random.normal(), root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (std::log1p(-random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
      return std::log(d) + std::log(v);
  }
}

/// Of the distribution Beta(alpha, alpha).
double beta_variate(double alpha, Random& random) {
  alpha = std::max(alpha, 1e-300);  // below, even the logarithms are infinite
  const double a = log_gamma_variate(alpha, random), b = log_gamma_variate(alpha, random);
  return 1.0 / (1.0 + std::exp(b - a));
}

void check_alpha(base::Setting name, double alpha) {
  if (!(alpha >= 0.0 && alpha <= 1000.0))
    base::fail(name, " is ", alpha, ", expected 0 (none) to 1000, the alpha of a beta ",
               "distribution");
}

void check_probability(base::Setting name, double probability) {
  if (!(probability >= 0.0 && probability <= 1.0))
    base::fail(name, " is ", probability, ", expected a probability from 0 to 1");
}

/// Replaces a rectangle with the share 1 - `keep` of the area, as far as it lies within the
/// picture, by that of the picture `step` further on. Returns the share that is left.
double paste(at::Tensor& pixels, double keep, int64_t step, Random& random) {
  const int64_t height = pixels.size(2), width = pixels.size(3);
  const double side = std::sqrt(1.0 - keep);
  const auto half = [&](int64_t length) {
    return static_cast<int64_t>(side * static_cast<double>(length)) / 2;
  };
  const int64_t y = random.below(height), x = random.below(width);
  const int64_t top = std::max<int64_t>(y - half(height), 0);
  const int64_t left = std::max<int64_t>(x - half(width), 0);
  const int64_t bottom = std::min(y + half(height), height);
  const int64_t right = std::min(x + half(width), width);
  const at::Tensor box = pixels.slice(2, top, bottom).slice(3, left, right);
  box.copy_(box.roll(step, 0));
  return 1.0 -
         static_cast<double>((bottom - top) * (right - left)) / static_cast<double>(height * width);
}

}  // namespace

void MixOptions::validate() const {
  check_alpha({"MixOptions::mixup"}, mixup);
  check_alpha({"MixOptions::cutmix"}, cutmix);
  check_probability({"MixOptions::probability"}, probability);
  check_probability({"MixOptions::switching"}, switching);
}

void mix_batch(at::Tensor& pixels, at::Tensor& targets, const MixOptions& options, uint64_t seed) {
  options.validate();
  TORCH_CHECK(pixels.dim() == 4 && targets.dim() == 2 && pixels.size(0) == targets.size(0),
              "mix_batch: expected pixels [B, C, H, W] and targets [B, classes], got ",
              pixels.sizes(), " and ", targets.sizes());
  TORCH_CHECK(pixels.is_floating_point() && targets.is_floating_point(),
              "mix_batch: expected floating point tensors, got ", pixels.scalar_type(), " and ",
              targets.scalar_type());
  const bool mixup = options.mixup > 0.0, cutmix = options.cutmix > 0.0;
  const int64_t batch = pixels.size(0);
  if ((!mixup && !cutmix) || batch < 2) return;
  Random random(seed);
  if (!random.chance(options.probability)) return;
  const bool pasted = cutmix && (!mixup || random.chance(options.switching));
  double keep = beta_variate(pasted ? options.cutmix : options.mixup, random);
  const int64_t step = 1 + random.below(batch - 1);
  if (pasted)
    keep = paste(pixels, keep, step, random);
  else
    pixels.lerp_(pixels.roll(step, 0), 1.0 - keep);
  targets.lerp_(targets.roll(step, 0), 1.0 - keep);
}

}  // namespace train
