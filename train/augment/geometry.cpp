#include "train/augment/geometry.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ops/empty_like.h>

namespace train {
namespace {

struct Source {
  const uint8_t* pixels;
  int64_t height, width;

  const uint8_t* at(int64_t x, int64_t y) const { return pixels + (y * width + x) * 3; }
};

void copy(const uint8_t* from, uint8_t* to) {
  for (int c = 0; c < 3; ++c) to[c] = from[c];
}

/// Coordinates have 16 fractional bits, as in Pillow.
void sample_nearest(const Source& in, const Affine& m, const Color& fill, uint8_t* out) {
  const auto fixed = [](double value) {
    return static_cast<int64_t>(std::floor(value * 65536.0 + 0.5));
  };
  const int64_t a = fixed(m.a), b = fixed(m.b), d = fixed(m.d), e = fixed(m.e);
  const int64_t c = fixed(m.c + m.a * 0.5 + m.b * 0.5), f = fixed(m.f + m.d * 0.5 + m.e * 0.5);
  for (int64_t y = 0; y < in.height; ++y) {
    int64_t fixed_x = b * y + c, fixed_y = e * y + f;
    for (int64_t x = 0; x < in.width; ++x, out += 3, fixed_x += a, fixed_y += d) {
      const int64_t column = fixed_x >> 16, row = fixed_y >> 16;
      const bool inside = column >= 0 && column < in.width && row >= 0 && row < in.height;
      copy(inside ? in.at(column, row) : fill.data(), out);
    }
  }
}

/// Double precision without contraction and cut off, not rounded, as in Pillow.
void sample_bilinear(const Source& in, const Affine& m, const Color& fill, uint8_t* out) {
  const auto height = static_cast<double>(in.height), width = static_cast<double>(in.width);
  for (int64_t y = 0; y < in.height; ++y) {
    const double out_y = static_cast<double>(y) + 0.5;
    for (int64_t x = 0; x < in.width; ++x, out += 3) {
      const double out_x = static_cast<double>(x) + 0.5;
      double in_x = m.a * out_x + m.b * out_y + m.c, in_y = m.d * out_x + m.e * out_y + m.f;
      if (!(in_x >= 0.0 && in_x < width && in_y >= 0.0 && in_y < height)) {
        copy(fill.data(), out);
        continue;
      }
      // Both are above -1, where adding 1 makes cutting off the same as rounding down.
      in_x -= 0.5;
      in_y -= 0.5;
      const int64_t column = static_cast<int64_t>(in_x + 1.0) - 1;
      const int64_t row = static_cast<int64_t>(in_y + 1.0) - 1;
      const double right = in_x - static_cast<double>(column);
      const double below = in_y - static_cast<double>(row);
      const int64_t x0 = std::max<int64_t>(column, 0), x1 = std::min(column + 1, in.width - 1);
      const int64_t y0 = std::max<int64_t>(row, 0), y1 = std::min(row + 1, in.height - 1);
      const uint8_t *p00 = in.at(x0, y0), *p01 = in.at(x1, y0);
      const uint8_t *p10 = in.at(x0, y1), *p11 = in.at(x1, y1);
      for (int c = 0; c < 3; ++c) {
        const double upper = p00[c] + (p01[c] - p00[c]) * right;
        const double lower = p10[c] + (p11[c] - p10[c]) * right;
        out[c] = static_cast<uint8_t>(upper + (lower - upper) * below);
      }
    }
  }
}

}  // namespace

Affine rotation(double degrees, vit::Size2d size) {
  const double angle = -degrees * std::numbers::pi / 180.0;
  // To 15 digits, as in Pillow: quarter turns then hit pixels exactly.
  const double cosine = std::round(std::cos(angle) * 1e15) / 1e15;
  const double sine = std::round(std::sin(angle) * 1e15) / 1e15;
  const double x = static_cast<double>(size.width) / 2.0;
  const double y = static_cast<double>(size.height) / 2.0;
  Affine m{cosine, sine, 0.0, -sine, cosine, 0.0};
  m.c = m.a * -x + m.b * -y + x;
  m.f = m.d * -x + m.e * -y + y;
  return m;
}

at::Tensor transform(const at::Tensor& rgb, const Affine& affine, Sampling sampling,
                     const Color& fill) {
  at::Tensor result = at::empty_like(rgb);
  const Source source{rgb.const_data_ptr<uint8_t>(), rgb.size(0), rgb.size(1)};
  const auto sample = sampling == Sampling::nearest ? sample_nearest : sample_bilinear;
  sample(source, affine, fill, result.mutable_data_ptr<uint8_t>());
  return result;
}

void mirror(at::Tensor& rgb) {
  const int64_t height = rgb.size(0), width = rgb.size(1);
  uint8_t* row = rgb.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y, row += width * 3)
    for (int64_t x = 0, end = width - 1; x < end; ++x, --end)
      for (int64_t c = 0; c < 3; ++c) std::swap(row[x * 3 + c], row[end * 3 + c]);
}

}  // namespace train
