#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <cmath>

#include <ATen/ATen.h>

#include <vit/pos_embed.h>
#include <vit/vision_transformer.h>

TEST_CASE("one-dimensional sinusoids interleave sines and cosines") {
  constexpr int64_t kLength = 50, kDim = 12;
  const auto table = vit::sincos_positions_1d(kLength, kDim);
  REQUIRE(table.sizes() == at::IntArrayRef({1, kLength, kDim}));
  double worst = 0;
  for (int64_t p = 0; p < kLength; ++p)
    for (int64_t j = 0; j < kDim; ++j) {
      const double angle = p / std::pow(10000.0, 2.0 * (j / 2) / kDim);
      const double expected = j % 2 ? std::cos(angle) : std::sin(angle);
      worst = std::max(worst, std::abs(table[0][p][j].item<double>() - expected));
    }
  CHECK(worst < 1e-6);
}

TEST_CASE("two-dimensional sinusoids encode the column, then the row") {
  const vit::Size2d grid{3, 5};
  constexpr int64_t kDim = 16, kQuarter = kDim / 4;
  const auto table = vit::sincos_positions_2d(grid, kDim);
  REQUIRE(table.sizes() == at::IntArrayRef({1, 15, kDim}));
  double worst = 0;
  for (int64_t row = 0; row < grid.height; ++row)
    for (int64_t col = 0; col < grid.width; ++col)
      for (int64_t j = 0; j < kDim; ++j) {
        const double pos = j < 2 * kQuarter ? col : row;
        const double angle = pos / std::pow(10000.0, static_cast<double>(j % kQuarter) / kQuarter);
        const double expected = j / kQuarter % 2 ? std::cos(angle) : std::sin(angle);
        const double value = table[0][row * grid.width + col][j].item<double>();
        worst = std::max(worst, std::abs(value - expected));
      }
  CHECK(worst < 1e-6);
}

TEST_CASE("three-dimensional sinusoids encode the frame, the row and the column") {
  const vit::Extent grid{2, 3, 5};
  constexpr int64_t kDim = 16;
  const auto table = vit::sincos_positions_3d(grid, kDim);
  REQUIRE(table.sizes() == at::IntArrayRef({1, 30, kDim}));
  double worst = 0;
  for (int64_t i = 0; i < grid.count(); ++i)
    for (int64_t j = 0; j < kDim; ++j) {
      const int64_t channels = j < kDim / 2 ? kDim / 2 : kDim / 4;  // of the axis
      const int64_t pos = j < kDim / 2 ? i / 15 : j < kDim / 4 * 3 ? i / 5 % 3 : i % 5;
      const int64_t at = j % channels, half = channels / 2;
      const double angle =
          static_cast<double>(pos) /
          std::pow(10000.0, static_cast<double>(at % half) / static_cast<double>(half));
      const double expected = at < half ? std::sin(angle) : std::cos(angle);
      worst = std::max(worst, std::abs(table[0][i][j].item<double>() - expected));
    }
  CHECK(worst < 1e-6);
}

TEST_CASE("computed positions are no parameters and follow the image size") {
  auto config = test::tiny_config({32, 32});
  config.vit.positions.kind = vit::PositionKind::sincos_2d;
  vit::VisionTransformer model(config);
  CHECK_FALSE(model->named_parameters().contains("pos_embed"));
  const auto table = model->named_buffers()["pos_embed"];
  REQUIRE(table.sizes() == at::IntArrayRef({1, 17, 16}));
  CHECK(test::same(table.slice(1, 0, 1), at::zeros({1, 1, 16})));
  CHECK(test::same(table.slice(1, 1), vit::sincos_positions_2d({4, 4}, 16)));

  model->set_image_size({16, 40});
  CHECK(test::same(model->named_buffers()["pos_embed"].slice(1, 1),
                   vit::sincos_positions_2d({2, 5}, 16)));
}

TEST_CASE("resampling keeps the prefix and a constant table") {
  const auto table = at::cat({at::full({1, 2, 4}, 9.0), at::full({1, 12, 4}, 0.5)}, 1);
  const auto resampled = vit::resample_positions(table, 2, {1, 3, 4}, {1, 7, 2});
  REQUIRE(resampled.sizes() == at::IntArrayRef({1, 16, 4}));
  CHECK(test::same(resampled.slice(1, 0, 2), table.slice(1, 0, 2)));
  CHECK(test::max_difference(resampled.slice(1, 2), at::full({1, 14, 4}, 0.5)) < 1e-6);
  CHECK_THROWS(vit::resample_positions(table, 2, {1, 3, 5}, {1, 7, 2}));
}

TEST_CASE("image sizes do not add up: each is resampled from the checkpoint's positions") {
  at::NoGradGuard no_grad;
  vit::VisionTransformer model(test::tiny_config({32, 32}));
  model->init_weights(1);
  const auto table = [&] { return model->named_parameters()["pos_embed"].detach().clone(); };
  const auto origin = table();
  const auto expected = [&](vit::Extent grid) {
    return vit::resample_positions(origin, 1, {1, 4, 4}, grid);
  };
  model->set_image_size({16, 16});
  CHECK(test::same(table(), expected({1, 2, 2})));
  model->set_image_size({48, 24});
  CHECK(test::same(table(), expected({1, 6, 3})));
  model->set_image_size({32, 32});
  CHECK(test::same(table(), origin));

  // In another dtype, too.
  model->set_image_size({16, 16});
  model->to(at::kBFloat16);
  model->set_image_size({48, 24});
  CHECK(test::same(table(), expected({1, 6, 3}).to(at::kBFloat16)));
  model->set_image_size({32, 32});
  CHECK(test::same(table(), origin.to(at::kBFloat16)));
}

TEST_CASE("positions that something has changed are resampled as they are") {
  vit::VisionTransformer model(test::tiny_config({32, 32}));
  model->init_weights(1);
  model->set_image_size({16, 16});
  auto parameter = model->named_parameters()["pos_embed"];
  parameter.data().mul_(2);  // as an optimizer may do
  const auto changed = parameter.detach().clone();
  model->set_image_size({32, 32});
  CHECK(test::same(parameter, vit::resample_positions(changed, 1, {1, 2, 2}, {1, 4, 4})));
  model->set_image_size({16, 16});
  CHECK(test::same(parameter, changed));

  // What set_image_size() keeps for itself is nobody else's to change.
  model->set_image_size({32, 32});
  parameter.data().fill_(7);
  model->set_image_size({16, 16});
  CHECK(test::max_difference(parameter, at::full_like(parameter, 7)) < 1e-5);
}
