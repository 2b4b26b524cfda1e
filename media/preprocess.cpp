#include "media/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include <ATen/ATen.h>

#include <media/image.h>
#include <vit/error.h>

namespace media {
namespace {

using vit::Rounding;
using vit::Size2d;

/// Halves go to the even neighbour.
int64_t round_half_even(double value) {
  const double below = std::floor(value);
  const double rest = value - below;
  const auto whole = static_cast<int64_t>(below);
  if (rest != 0.5) return rest < 0.5 ? whole : whole + 1;
  return whole % 2 == 0 ? whole : whole + 1;
}

int64_t rounded(double value, Rounding rounding) {
  return rounding == Rounding::half_even ? round_half_even(value) : static_cast<int64_t>(value);
}

/// `side` for the shorter side, the longer one in proportion; where that were more than `longest`,
/// the longer one becomes `longest` or the pixel below.
Size2d shorter_side_to(Size2d picture, int64_t side, std::optional<int64_t> longest) {
  const auto [height, width] = picture;
  const auto in_proportion = [](double scale, int64_t of, int64_t by) {
    return static_cast<int64_t>(scale * static_cast<double>(of) / static_cast<double>(by));
  };
  auto exact = static_cast<double>(side);
  if (longest) {
    const auto shorter = static_cast<double>(std::min(height, width));
    const auto longer = static_cast<double>(std::max(height, width));
    if (longer / shorter * exact > static_cast<double>(*longest)) {
      exact = static_cast<double>(*longest) * shorter / longer;
      side = round_half_even(exact);
    }
    if (std::min(height, width) == side) return picture;
  }
  return width <= height ? Size2d{in_proportion(exact, height, width), side}
                         : Size2d{side, in_proportion(exact, width, height)};
}

/// Scaled until it covers `size`, or until it fits into it.
Size2d scaled_to(Size2d picture, Size2d size, bool covers, Rounding rounding) {
  const auto height = static_cast<double>(picture.height);
  const auto width = static_cast<double>(picture.width);
  if (rounding != Rounding::half_even) {
    const double down = static_cast<double>(size.height) / height;
    const double across = static_cast<double>(size.width) / width;
    const double scale = covers ? std::max(down, across) : std::min(down, across);
    return {static_cast<int64_t>(height * scale), static_cast<int64_t>(width * scale)};
  }
  const double down = height / static_cast<double>(size.height);
  const double across = width / static_cast<double>(size.width);
  const double ratio = covers ? std::min(down, across) : std::max(down, across);
  return {round_half_even(height / ratio), round_half_even(width / ratio)};
}

Size2d resized_size(Size2d picture, const vit::PicturePreprocessing& how) {
  const Size2d target = how.resized();
  switch (how.crop_mode) {
    case vit::CropMode::none:
      return picture;
    case vit::CropMode::squash:
      return target;
    case vit::CropMode::border:
      return scaled_to(picture, target, false, how.rounding);
    case vit::CropMode::center:
      if (target.height == target.width)
        return shorter_side_to(picture, target.height, how.longest_side());
      return scaled_to(picture, target, true, how.rounding);
  }
  vit::fail("preprocess: unknown crop mode ", static_cast<int>(how.crop_mode));
}

/// Where a crop of `size` starts on a side of `side` pixels.
int64_t crop_offset(int64_t side, int64_t size, Rounding rounding) {
  if (side < size) {
    const int64_t missing = size - side;
    return -(rounding == Rounding::down ? (missing + 1) / 2 : missing / 2);
  }
  return rounded(static_cast<double>(side - size) / 2.0, rounding);
}

/// The part of a crop that lies on the picture, along one axis.
struct Overlap {
  int64_t start, length;
};

Overlap overlap(int64_t offset, int64_t length, int64_t side) {
  const int64_t start = std::max<int64_t>(offset, 0);
  return {start, std::min(offset + length, side) - start};
}

/// A picture's size before the crop, the crop, and what of the crop lies on the picture.
struct Window {
  Size2d resized;
  Region crop;
  Overlap rows, columns;
};

Window window_of(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  const auto [resized, crop] = framing({rgb.size(0), rgb.size(1)}, how);
  return {resized, crop, overlap(crop.top, crop.size.height, resized.height),
          overlap(crop.left, crop.size.width, resized.width)};
}

void check_pixels(const at::Tensor& pixels, bool gray_too) {
  TORCH_CHECK(pixels.dim() == 3 && (pixels.size(2) == 3 || (gray_too && pixels.size(2) == 1)) &&
                  pixels.scalar_type() == at::kByte,
              "media::preprocess: expected uint8 [height, width, ", gray_too ? "3 or 1" : "3",
              "], got ", pixels.toString(), " of shape ", pixels.sizes());
}

/// Resized in floating point by the antialiased filters of LibTorch: [1, C, height, width].
at::Tensor resize_floats(const at::Tensor& pixels, Size2d size, vit::Interpolation filter) {
  if (size == Size2d{pixels.size(2), pixels.size(3)}) return pixels;
  const std::array<int64_t, 2> sides{size.height, size.width};
  switch (filter) {
    case vit::Interpolation::bilinear:
      return at::_upsample_bilinear2d_aa(pixels, sides, /*align_corners=*/false);
    case vit::Interpolation::bicubic:
      return at::_upsample_bicubic2d_aa(pixels, sides, /*align_corners=*/false);
    default:
      vit::fail(
          "preprocess: pictures of floating point are resized by bilinear or bicubic filters ",
          "alone");
  }
}

/// preprocess() where the resized picture is not rounded; what a crop lacks is black.
at::Tensor preprocess_floats(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  check_pixels(rgb, false);
  const int64_t channels = channels_of(how);
  const auto [resized, crop, rows, columns] = window_of(rgb, how);
  const auto picture = channels == 1 ? to_gray(rgb) : rgb;
  const auto pixels = picture.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat) * how.rescale;
  const auto seen = resize_floats(pixels, resized, how.interpolation)
                        .slice(2, rows.start, rows.start + rows.length)
                        .slice(3, columns.start, columns.start + columns.length);
  auto result = at::zeros({channels, crop.size.height, crop.size.width}, at::kFloat);
  result.slice(1, rows.start - crop.top, rows.start - crop.top + rows.length)
      .slice(2, columns.start - crop.left, columns.start - crop.left + columns.length)
      .copy_(seen[0]);
  const auto per_channel = [&](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).view({channels, 1, 1});
  };
  return (result - per_channel(how.mean)) / per_channel(how.std);
}

}  // namespace

Framing framing(Size2d picture, const vit::PicturePreprocessing& how) {
  if (picture.height <= 0 || picture.width <= 0)
    vit::fail("preprocess: a picture of ", picture.width, " x ", picture.height,
              " pixels is empty");
  if (how.max_patches) {
    const Size2d size = size_of_patches(picture, how.patch, how.max_patches);
    return {size, {0, 0, size}};
  }
  const Size2d target = how.resized(), input = how.input_size;
  if (target.height <= 0 || target.width <= 0)
    vit::fail("preprocess: an input of ", input.width, " x ", input.height,
              " pixels with crop_pct ", how.crop_pct, " leaves no pixel of the picture");

  const Size2d resized = resized_size(picture, how);
  constexpr int64_t kMaxSide = 1 << 30;  // before the crop
  if (std::min(resized.height, resized.width) < 1 ||
      std::max(resized.height, resized.width) > kMaxSide)
    vit::fail("preprocess: a picture of ", picture.width, " x ", picture.height,
              " pixels is too narrow to be resized to ", target.width, " x ", target.height,
              "; it would become ", resized.width, " x ", resized.height);
  if (how.crop)
    return {resized,
            {crop_offset(resized.height, input.height, how.rounding),
             crop_offset(resized.width, input.width, how.rounding), input}};
  if (!(resized == input))
    vit::fail("preprocess: without a crop the picture of ", picture.width, " x ", picture.height,
              " pixels becomes one of ", resized.width, " x ", resized.height,
              ", and the model takes ", input.width, " x ", input.height);
  return {resized, {0, 0, input}};
}

int64_t channels_of(const vit::PicturePreprocessing& how) {
  const auto channels = static_cast<int64_t>(how.mean.size());
  if (channels != 3 && channels != 1)
    vit::fail("preprocess: the model takes ", channels,
              " channels; pictures have three, or one for models of gray ones");
  how.validate(channels);
  return channels;
}

at::Tensor to_gray(const at::Tensor& rgb) {
  check_pixels(rgb, false);
  const at::Tensor pixels = rgb.contiguous();
  at::Tensor gray = at::empty({rgb.size(0), rgb.size(1), 1}, at::kByte);
  const uint8_t* in = pixels.const_data_ptr<uint8_t>();
  uint8_t* out = gray.mutable_data_ptr<uint8_t>();
  // ITU-R 601-2 luma in 16 fractional bits.
  for (int64_t i = 0; i < gray.numel(); ++i, in += 3)
    out[i] = static_cast<uint8_t>((in[0] * 19595 + in[1] * 38470 + in[2] * 7471 + 0x8000) >> 16);
  return gray;
}

at::Tensor resize_and_crop(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  check_pixels(rgb, false);
  const int64_t channels = channels_of(how);
  const auto [resized, crop, rows, columns] = window_of(rgb, how);
  const at::Tensor seen =
      resize(channels == 1 ? to_gray(rgb) : rgb, resized,
             {rows.start, columns.start, {rows.length, columns.length}}, how.interpolation);
  if (Size2d{rows.length, columns.length} == crop.size) return seen;

  at::Tensor padded = at::empty({crop.size.height, crop.size.width, channels}, at::kByte);
  uint8_t* out = padded.mutable_data_ptr<uint8_t>();
  for (int64_t c = 0; c < channels; ++c)
    padded.select(2, c).fill_(how.fill.empty() ? 0 : how.fill[static_cast<size_t>(c)]);
  const uint8_t* in = seen.const_data_ptr<uint8_t>();
  const int64_t top = rows.start - crop.top, left = columns.start - crop.left;
  for (int64_t y = 0; y < rows.length; ++y)
    std::memcpy(out + ((top + y) * crop.size.width + left) * channels,
                in + y * columns.length * channels, columns.length * channels);
  return padded;
}

at::Tensor normalize(const at::Tensor& pixels, const vit::PicturePreprocessing& how) {
  check_pixels(pixels, true);
  const int64_t channels = channels_of(how);
  TORCH_CHECK(pixels.size(2) == channels, "media::normalize: a picture of ", pixels.size(2),
              " channels, and the model takes ", channels);
  // 256 byte values give 256 results per channel.
  std::array<std::array<float, 256>, 3> value;
  for (size_t c = 0; c < how.mean.size(); ++c) {
    const auto mean = static_cast<float>(how.mean[c]), std = static_cast<float>(how.std[c]);
    for (size_t v = 0; v < 256; ++v)
      value[c][v] = (static_cast<float>(static_cast<double>(v) * how.rescale) - mean) / std;
  }
  const at::Tensor bytes = pixels.contiguous();
  at::Tensor result = at::empty({channels, bytes.size(0), bytes.size(1)}, at::kFloat);
  const int64_t count = bytes.size(0) * bytes.size(1);
  const uint8_t* in = bytes.const_data_ptr<uint8_t>();
  float* out = result.mutable_data_ptr<float>();
  if (channels == 1) {
    for (int64_t i = 0; i < count; ++i) out[i] = value[0][in[i]];
    return result;
  }
  for (int64_t i = 0; i < count; ++i)
    for (size_t c = 0; c < 3; ++c)
      out[static_cast<int64_t>(c) * count + i] = value[c][in[3 * i + static_cast<int64_t>(c)]];
  return result;
}

at::Tensor preprocess(const at::Tensor& rgb, const vit::PicturePreprocessing& how) {
  if (how.float_resize) return preprocess_floats(rgb, how);
  return normalize(resize_and_crop(rgb, how), how);
}

at::Tensor preprocess(const at::Tensor& rgb, const vit::Preprocessing& how) {
  return preprocess(rgb, vit::picture_preprocessing(how));
}

at::Tensor read_input(const std::filesystem::path& path, const vit::PicturePreprocessing& how) {
  return preprocess(read_image(path, how.transparency), how);
}

at::Tensor read_input(const std::filesystem::path& path, const vit::Preprocessing& how) {
  return read_input(path, vit::picture_preprocessing(how));
}

}  // namespace media
