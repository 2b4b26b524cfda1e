#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <cmath>
#include <random>

#include <ATen/ATen.h>

#include <media/resize.h>

namespace {

double weight(double x, vit::Interpolation interpolation) {
  x = std::abs(x);
  if (interpolation == vit::Interpolation::bilinear) return x < 1 ? 1 - x : 0;
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

/// Resamples the first axis with weights rounded to 22 bits, then rounds and clamps.
at::Tensor one_pass(const at::Tensor& image, int64_t out, vit::Interpolation interpolation) {
  const int64_t in = image.size(0);
  if (in == out) return image;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  at::Tensor weights = at::zeros({out, in}, at::kDouble);
  for (int64_t i = 0; i < out; ++i)
    for (int64_t k = 0; k < in; ++k)
      weights[i][k] =
          weight((static_cast<double>(k) + 0.5 - (static_cast<double>(i) + 0.5) * scale) / stretch,
                 interpolation);
  constexpr int64_t kOne = 1 << 22;
  const at::Tensor fixed = (weights / weights.sum(1, true) * kOne).round().to(at::kLong);
  const at::Tensor sums = at::matmul(fixed, image.reshape({in, -1}).to(at::kLong));
  auto shape = image.sizes().vec();
  shape[0] = out;
  return sums.add(kOne / 2).div(kOne, "floor").clamp(0, 255).to(at::kByte).reshape(shape);
}

at::Tensor reference(const at::Tensor& image, vit::Size2d size, vit::Interpolation interpolation) {
  const auto horizontal = [&](const at::Tensor& x) {
    return one_pass(x.transpose(0, 1), size.width, interpolation).transpose(0, 1);
  };
  const auto vertical = [&](const at::Tensor& x) {
    return one_pass(x, size.height, interpolation);
  };
  const int64_t lost_height = image.size(0) - size.height, lost_width = image.size(1) - size.width;
  return lost_height > 0 && lost_height > 2 * lost_width ? horizontal(vertical(image))
                                                         : vertical(horizontal(image));
}

at::Tensor random_picture(int64_t height, int64_t width, int64_t channels) {
  // Black and white noise overshoots most in the cubic filter.
  at::Tensor noise = at::randint(0, 256, {height, width, channels}, at::kByte);
  return width % 2 ? noise : noise.gt(127).to(at::kByte).mul(255);
}

}  // namespace

TEST_CASE("Resizing follows the definition") {
  at::manual_seed(1);
  std::mt19937 random(7);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 60; ++i) {
    const int64_t height = pick(1, 70), width = pick(1, 70), channels = pick(1, 4);
    const vit::Size2d size{i % 7 == 0 ? height : pick(1, 60), i % 5 == 0 ? width : pick(1, 60)};
    const auto interpolation = i % 2 ? vit::Interpolation::bicubic : vit::Interpolation::bilinear;
    INFO(height << " x " << width << " x " << channels << " to " << size.height << " x "
                << size.width);
    const at::Tensor image = random_picture(height, width, channels);
    const at::Tensor resized = media::resize(image, size, interpolation);
    // A weight that falls next to a half of the last bit may be rounded otherwise.
    const at::Tensor expected = reference(image, size, interpolation);
    CHECK(test::max_difference(resized, expected) <= 1.0);
    CHECK(resized.ne(expected).to(at::kDouble).mean().item<double>() < 0.001);
  }
}

TEST_CASE("A region is the same part of the whole result") {
  at::manual_seed(2);
  for (const auto& [height, width, size] : {std::tuple{50, 40, vit::Size2d{33, 21}},
                                            {200, 40, vit::Size2d{40, 30}},
                                            {9, 12, vit::Size2d{70, 60}},
                                            {40, 40, vit::Size2d{40, 25}},
                                            {40, 40, vit::Size2d{25, 40}},
                                            {30, 30, vit::Size2d{30, 30}}}) {
    const at::Tensor image = random_picture(height, width, 3);
    const at::Tensor whole = media::resize(image, size, vit::Interpolation::bicubic);
    for (const auto& region :
         {media::Region{0, 0, {1, 1}}, media::Region{5, 3, {7, 11}}, media::Region{4, 9, {20, 12}},
          media::Region{size.height - 3, size.width - 18, {3, 18}}}) {
      const at::Tensor part = media::resize(image, size, region, vit::Interpolation::bicubic);
      CHECK(test::same(part, whole.slice(0, region.top, region.top + region.size.height)
                                 .slice(1, region.left, region.left + region.size.width)));
    }
  }
}

TEST_CASE("Resizing keeps what it must keep") {
  const at::Tensor image = random_picture(31, 20, 3);
  CHECK(test::same(media::resize(image, {31, 20}, vit::Interpolation::bicubic), image));
  const at::Tensor flat = at::full({13, 17, 3}, 200, at::kByte);
  CHECK(test::same(media::resize(flat, {5, 40}, vit::Interpolation::bicubic),
                   at::full({5, 40, 3}, 200, at::kByte)));
  // Strides are honoured.
  CHECK(test::same(
      media::resize(image.transpose(0, 1), {9, 9}, vit::Interpolation::bilinear),
      media::resize(image.transpose(0, 1).contiguous(), {9, 9}, vit::Interpolation::bilinear)));
  const at::Tensor part = image.slice(0, 4, 29).slice(1, 3, 18);
  for (const vit::Size2d size : {vit::Size2d{9, 9}, {25, 7}, {40, 15}, {8, 30}, {25, 15}})
    CHECK(test::same(media::resize(part, size, vit::Interpolation::bicubic),
                     media::resize(part.contiguous(), size, vit::Interpolation::bicubic)));
}

TEST_CASE("Resizing checks its arguments") {
  const auto resize = [](const at::Tensor& image, vit::Size2d size) {
    return media::resize(image, size, vit::Interpolation::bicubic);
  };
  CHECK_THROWS_AS(resize(at::zeros({4, 4, 3}), {2, 2}), c10::Error);
  CHECK_THROWS_AS(resize(at::zeros({4, 4}, at::kByte), {2, 2}), c10::Error);
  CHECK_THROWS_AS(resize(at::zeros({4, 4, 5}, at::kByte), {2, 2}), c10::Error);
  CHECK_THROWS_AS(resize(at::zeros({0, 4, 3}, at::kByte), {2, 2}), c10::Error);
  const at::Tensor image = at::zeros({4, 4, 3}, at::kByte);
  CHECK_THROWS_AS(resize(image, {0, 2}), c10::Error);
  CHECK_THROWS_AS(media::resize(image, {5, 5}, {1, 0, {5, 5}}, vit::Interpolation::bicubic),
                  c10::Error);
  CHECK_THROWS_AS(media::resize(image, {5, 5}, {-1, 0, {2, 2}}, vit::Interpolation::bicubic),
                  c10::Error);
}
