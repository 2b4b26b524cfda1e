#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace train {

/// Where the pixels of a picture come from: its pixel (x, y) is what the source shows at
/// (a x + b y + c, d x + e y + f). The upper left corner of a picture is (0, 0), the centre of its
/// first pixel (0.5, 0.5).
struct Affine {
  double a = 1, b = 0, c = 0;
  double d = 0, e = 1, f = 0;
};

/// Turns a picture of that size counterclockwise about its centre.
Affine rotation(double degrees, vit::Size2d size);

enum class Sampling { nearest, bilinear };

using Color = std::array<uint8_t, 3>;

/// A picture, uint8 [height, width, 3], contiguous, moved by `affine` at its own size; pixels that
/// come from outside of it get the colour `fill`. The results are those of Pillow's
/// Image.transform(size, AFFINE), bit for bit.
at::Tensor transform(const at::Tensor& rgb, const Affine& affine, Sampling sampling,
                     const Color& fill);

/// Mirrors left and right, in place.
void mirror(at::Tensor& rgb);

}  // namespace train
