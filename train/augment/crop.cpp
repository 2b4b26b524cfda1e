#include "train/augment/crop.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ops/empty_like.h>

namespace train {
namespace {

constexpr int kTries = 10;

media::Region centred(vit::Size2d picture, vit::Size2d part) {
  return {(picture.height - part.height) / 2, (picture.width - part.width) / 2, part};
}

/// For each of `length` positions that start at `offset`: the position in 0 .. length - 1 that a
/// mirror at either end shows there.
std::vector<int64_t> mirrored(int64_t offset, int64_t length) {
  std::vector<int64_t> positions(length);
  const int64_t last = length - 1;
  for (int64_t i = 0; i < length; ++i) {
    const int64_t position = std::abs(offset + i);
    positions[i] = position <= last ? position : 2 * last - position;
  }
  return positions;
}

}  // namespace

media::Region random_region(vit::Size2d picture, const CropRange& range, Random& random) {
  const auto height = static_cast<double>(picture.height);
  const auto width = static_cast<double>(picture.width);
  const double log_min = std::log(range.min_ratio), log_max = std::log(range.max_ratio);
  for (int i = 0; i < kTries; ++i) {
    const double area = height * width * random.uniform(range.min_scale, range.max_scale);
    const double ratio = std::exp(random.uniform(log_min, log_max));
    const vit::Size2d part{std::llround(std::sqrt(area / ratio)),
                           std::llround(std::sqrt(area * ratio))};
    if (part.height < 1 || part.width < 1) continue;
    if (part.height > picture.height || part.width > picture.width) continue;
    const int64_t top = random.below(picture.height - part.height + 1);
    const int64_t left = random.below(picture.width - part.width + 1);
    return {top, left, part};
  }
  vit::Size2d part = picture;
  if (width / height < range.min_ratio)
    part.height = std::clamp<int64_t>(std::llround(width / range.min_ratio), 1, picture.height);
  else if (width / height > range.max_ratio)
    part.width = std::clamp<int64_t>(std::llround(height * range.max_ratio), 1, picture.width);
  return centred(picture, part);
}

at::Tensor random_shift(const at::Tensor& rgb, int64_t padding, Random& random) {
  const int64_t height = rgb.size(0), width = rgb.size(1);
  const std::vector<int64_t> rows = mirrored(random.below(2 * padding + 1) - padding, height);
  const std::vector<int64_t> columns = mirrored(random.below(2 * padding + 1) - padding, width);
  at::Tensor result = at::empty_like(rgb);
  const uint8_t* in = rgb.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (const int64_t y : rows)
    for (const int64_t x : columns)
      for (int64_t c = 0; c < 3; ++c) *out++ = in[(y * width + x) * 3 + c];
  return result;
}

}  // namespace train
