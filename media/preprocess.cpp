#include "media/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>

#include <vit/error.h>

namespace media {
namespace {

/// Halves go to the even neighbour.
int64_t round_half_even(double value) {
  const double below = std::floor(value);
  const double rest = value - below;
  const auto whole = static_cast<int64_t>(below);
  if (rest != 0.5) return rest < 0.5 ? whole : whole + 1;
  return whole % 2 == 0 ? whole : whole + 1;
}

vit::Size2d resized_size(vit::Size2d picture, vit::Size2d scale, vit::CropMode mode) {
  if (mode == vit::CropMode::squash) return scale;
  const auto height = static_cast<double>(picture.height);
  const auto width = static_cast<double>(picture.width);
  if (scale.height == scale.width) {
    const auto side = static_cast<double>(scale.height);
    if (picture.width <= picture.height)
      return {static_cast<int64_t>(side * height / width), scale.height};
    return {scale.height, static_cast<int64_t>(side * width / height)};
  }
  const double ratio = std::min(height / static_cast<double>(scale.height),
                                width / static_cast<double>(scale.width));
  return {round_half_even(height / ratio), round_half_even(width / ratio)};
}

/// Where a crop of `size` starts on a side of `side` pixels.
int64_t crop_offset(int64_t side, int64_t size) {
  if (side < size) return -((size - side) / 2);
  return round_half_even(static_cast<double>(side - size) / 2.0);
}

/// The part of a crop that lies on the picture, along one axis.
struct Overlap {
  int64_t start, length;
};

Overlap overlap(int64_t offset, int64_t length, int64_t side) {
  const int64_t start = std::max<int64_t>(offset, 0);
  return {start, std::min(offset + length, side) - start};
}

void check_rgb(const at::Tensor& rgb) {
  TORCH_CHECK(rgb.dim() == 3 && rgb.size(2) == 3 && rgb.scalar_type() == at::kByte,
              "media::preprocess: expected uint8 [height, width, 3], got ", rgb.toString(),
              " of shape ", rgb.sizes());
}

}  // namespace

Framing framing(vit::Size2d picture, const vit::PicturePreprocessing& how) {
  if (picture.height <= 0 || picture.width <= 0)
    vit::fail("preprocess: a picture of ", picture.width, " x ", picture.height,
              " pixels is empty");
  const auto scaled = [&](int64_t side) {
    return static_cast<int64_t>(std::floor(static_cast<double>(side) / how.crop_pct));
  };
  const vit::Size2d scale{scaled(how.input_size.height), scaled(how.input_size.width)};
  if (scale.height <= 0 || scale.width <= 0)
    vit::fail("preprocess: an input of ", how.input_size.width, " x ", how.input_size.height,
              " pixels with crop_pct ", how.crop_pct, " leaves no pixel of the picture");

  Framing result;
  result.resized = resized_size(picture, scale, how.crop_mode);
  result.crop = {crop_offset(result.resized.height, how.input_size.height),
                 crop_offset(result.resized.width, how.input_size.width), how.input_size};
  const bool keeps_ratio = how.crop_mode == vit::CropMode::center && scale.height != scale.width;
  result.interpolation = keeps_ratio ? vit::Interpolation::bilinear : how.interpolation;
  return result;
}

at::Tensor resize_and_crop(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  check_rgb(rgb);
  how.validate(3);
  const auto [resized, crop, interpolation] = framing({rgb.size(0), rgb.size(1)}, how);
  const Overlap rows = overlap(crop.top, crop.size.height, resized.height);
  const Overlap columns = overlap(crop.left, crop.size.width, resized.width);
  const at::Tensor seen = resize(
      rgb, resized, {rows.start, columns.start, {rows.length, columns.length}}, interpolation);
  if (vit::Size2d{rows.length, columns.length} == crop.size) return seen;

  at::Tensor padded = at::empty({crop.size.height, crop.size.width, 3}, at::kByte);
  uint8_t* out = padded.mutable_data_ptr<uint8_t>();
  std::memset(out, 0, padded.nbytes());
  const uint8_t* in = seen.const_data_ptr<uint8_t>();
  const int64_t top = rows.start - crop.top, left = columns.start - crop.left;
  for (int64_t y = 0; y < rows.length; ++y)
    std::memcpy(out + ((top + y) * crop.size.width + left) * 3, in + y * columns.length * 3,
                columns.length * 3);
  return padded;
}

at::Tensor normalize(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  check_rgb(rgb);
  how.validate(3);
  // 256 byte values give 256 results per channel.
  std::array<std::array<float, 256>, 3> value;
  for (size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(how.mean[c]), std = static_cast<float>(how.std[c]);
    for (size_t v = 0; v < 256; ++v) value[c][v] = (static_cast<float>(v) / 255.0f - mean) / std;
  }
  const at::Tensor pixels = rgb.contiguous();
  at::Tensor result = at::empty({3, pixels.size(0), pixels.size(1)}, at::kFloat);
  const int64_t count = pixels.size(0) * pixels.size(1);
  const uint8_t* in = pixels.const_data_ptr<uint8_t>();
  float* out = result.mutable_data_ptr<float>();
  for (int64_t i = 0; i < count; ++i)
    for (size_t c = 0; c < 3; ++c)
      out[static_cast<int64_t>(c) * count + i] = value[c][in[3 * i + static_cast<int64_t>(c)]];
  return result;
}

at::Tensor preprocess(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  return normalize(resize_and_crop(rgb, how), how);
}

at::Tensor preprocess(const at::Tensor& rgb, const vit::Preprocessing& how) {
  return preprocess(rgb, vit::picture_preprocessing(how));
}

}  // namespace media
