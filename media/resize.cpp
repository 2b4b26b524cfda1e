#include "media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include <ATen/ATen.h>

#include <media/resample_kernels.h>
#include <vit/error.h>

namespace media {
namespace {

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// A filter in pixels of the smaller picture; zero from `support` on.
struct Filter {
  double support;
  double (*weight)(double x);
};

Filter filter_of(vit::Interpolation interpolation) {
  using enum vit::Interpolation;
  switch (interpolation) {
    case nearest:
      break;  // no filter, see pick_nearest()
    case box:
      return {0.5, [](double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }};
    case bilinear:
      return {1.0, [](double x) { return std::max(0.0, 1.0 - std::abs(x)); }};
    case hamming:
      return {1.0, [](double x) {
                return std::abs(x) < 1.0 ? sinc(x) * (0.54 + 0.46 * std::cos(x * std::numbers::pi))
                                         : 0.0;
              }};
    case bicubic:
      return {2.0, cubic};
    case lanczos:
      return {3.0, [](double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }};
  }
  vit::fail("resize: unknown interpolation ", static_cast<int>(interpolation));
}

/// Weights for output positions start .. start + length - 1 of an axis that goes from `in` pixels
/// to `out`.
AxisWeights make_weights(int64_t in, int64_t out, int64_t start, int64_t length,
                         vit::Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double support = filter.support * stretch;

  AxisWeights w;
  w.taps = std::min(in, 2 * static_cast<int64_t>(std::ceil(support)) + 1);
  w.first.resize(length);
  w.count.resize(length);
  w.weight.assign(length * w.taps, 0);
  std::vector<double> exact(w.taps);
  for (int64_t i = 0; i < length; ++i) {
    const double center = (static_cast<double>(start + i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(in, static_cast<int64_t>(center + support + 0.5));
    w.first[i] = first;
    w.count[i] = end - first;
    double sum = 0.0;
    for (int64_t k = 0; k < end - first; ++k) {
      const double x = (static_cast<double>(first + k) - center + 0.5) / stretch;
      exact[k] = filter.weight(x);
      sum += exact[k];
    }
    for (int64_t k = 0; k < end - first; ++k) {
      const double fixed = (sum == 0.0 ? exact[k] : exact[k] / sum) * (1 << kWeightBits);
      w.weight[i * w.taps + k] = static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
  }
  return w;
}

/// For output positions start .. start + length - 1 of an axis that goes from `in` pixels to `out`
/// the pixel that is nearest. As in Pillow the positions are summed up, with what rounding there
/// is.
std::vector<int64_t> nearest_pixels(int64_t in, int64_t out, int64_t start, int64_t length) {
  const double step = static_cast<double>(in) / static_cast<double>(out);
  std::vector<int64_t> pixels(static_cast<size_t>(length));
  double position = step * 0.5;
  for (int64_t i = 0; i < start + length; ++i, position += step)
    if (i >= start)
      pixels[static_cast<size_t>(i - start)] = std::min(static_cast<int64_t>(position), in - 1);
  return pixels;
}

void pick_nearest(const at::Tensor& source, vit::Size2d size, const Region& region, uint8_t* out) {
  const int64_t channels = source.size(2);
  const auto across = nearest_pixels(source.size(1), size.width, region.left, region.size.width);
  const auto down = nearest_pixels(source.size(0), size.height, region.top, region.size.height);
  const uint8_t* in = source.const_data_ptr<uint8_t>();
  for (const int64_t y : down)
    for (const int64_t x : across) {
      std::memcpy(out, in + y * source.stride(0) + x * channels, static_cast<size_t>(channels));
      out += channels;
    }
}

}  // namespace

at::Tensor resize(const at::Tensor& image, vit::Size2d size, const Region& region,
                  vit::Interpolation interpolation) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == at::kByte && image.device().is_cpu(),
              "media::resize: expected a uint8 CPU tensor [height, width, channels], got ",
              image.toString(), " of shape ", image.sizes());
  const int64_t height = image.size(0), width = image.size(1), channels = image.size(2);
  TORCH_CHECK(height > 0 && width > 0 && channels >= 1 && channels <= 4,
              "media::resize: expected a picture of 1 to 4 channels, got shape ", image.sizes());
  const vit::Size2d part = region.size;
  TORCH_CHECK(region.top >= 0 && region.left >= 0 && part.height > 0 && part.width > 0 &&
                  part.height <= size.height - region.top && part.width <= size.width - region.left,
              "media::resize: a region of ", part.height, " x ", part.width, " at (", region.top,
              ", ", region.left, ") does not lie within ", size.height, " x ", size.width);

  // A part of a larger picture is read where it lies.
  const bool in_rows = image.stride(2) == 1 && image.stride(1) == channels;
  const at::Tensor source = in_rows ? image : image.contiguous();
  at::Tensor result = at::empty({part.height, part.width, channels}, at::kByte);
  const int64_t in_stride = source.stride(0), out_stride = part.width * channels;
  uint8_t* out = result.mutable_data_ptr<uint8_t>();

  if (interpolation == vit::Interpolation::nearest) {
    pick_nearest(source, size, region, out);
    return result;
  }

  // An axis that keeps its size has no pass of its own.
  const bool keep_width = size.width == width, keep_height = size.height == height;
  const AxisWeights across =
      make_weights(width, size.width, region.left, part.width, interpolation);
  const AxisWeights down =
      make_weights(height, size.height, region.top, part.height, interpolation);
  const int64_t left = keep_width ? region.left : across.begin();
  const int64_t top = keep_height && !keep_width ? region.top : down.begin();
  const uint8_t* in = source.const_data_ptr<uint8_t>() + top * in_stride + left * channels;

  std::vector<uint8_t> between, scratch;
  if (keep_width) {
    resample_across_rows(in, in_stride, out_stride, down, out, out_stride);
  } else if (keep_height) {
    resample_along_rows(in, in_stride, part.height, channels, across, out, out_stride, scratch);
  } else if (size.height < height && height - size.height > 2 * (width - size.width)) {
    const int64_t stride = (across.end() - left) * channels;
    between.resize(part.height * stride);
    resample_across_rows(in, in_stride, stride, down, between.data(), stride);
    resample_along_rows(between.data(), stride, part.height, channels, across, out, out_stride,
                        scratch);
  } else {
    const int64_t rows = down.end() - top;
    between.resize(rows * out_stride);
    resample_along_rows(in, in_stride, rows, channels, across, between.data(), out_stride, scratch);
    resample_across_rows(between.data(), out_stride, out_stride, down, out, out_stride);
  }
  return result;
}

at::Tensor resize(const at::Tensor& image, vit::Size2d size, vit::Interpolation interpolation) {
  return resize(image, size, Region{0, 0, size}, interpolation);
}

}  // namespace media
