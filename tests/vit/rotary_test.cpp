#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <cmath>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/rotary.h>
#include <vit/vision_transformer.h>

TEST_CASE("a pair of channels turns by the angle of its token's row or column") {
  const auto layout = GENERATE(vit::RotaryLayout::interleaved, vit::RotaryLayout::half);
  const bool columns_first = GENERATE(false, true);
  const auto kind = GENERATE(0, 1, 2);  // centered; indices; indices on a reference grid
  vit::RotaryConfig config;
  config.layout = layout;
  config.columns_first = columns_first;
  config.base = 100;
  if (kind == 0) config.coordinates = vit::RotaryCoordinates::centered;
  if (kind == 2) {
    config.offset = 1;
    config.reference_rows = 8;
    config.reference_cols = 4;
  }
  CAPTURE(static_cast<int>(layout), columns_first, kind);
  constexpr int64_t kDim = 8, kRows = 2, kCols = 3, kPrefix = 1, kTokens = kPrefix + kRows * kCols;
  auto positions = at::zeros({1, kTokens, 2});
  for (int64_t i = kPrefix; i < kTokens; ++i) {
    positions[0][i][0] = (i - kPrefix) / kCols;
    positions[0][i][1] = (i - kPrefix) % kCols;
  }
  positions[0][3][1] = 1.25;  // where merged tokens may be
  const auto x = at::randn({1, 2, kTokens, kDim}, at::make_generator<at::CPUGeneratorImpl>(1));
  const auto angles = vit::rotary_angles(config, kDim, {1, kRows, kCols}, positions, kPrefix);
  const auto got = vit::rotate(x, angles);

  double worst = 0;
  for (int64_t token = 0; token < kTokens; ++token)
    for (int64_t pair = 0; pair < kDim / 2; ++pair) {
      const bool of_row = (pair < kDim / 4) != columns_first;
      const double index = positions[0][token][of_row ? 0 : 1].item<double>();
      const double size = of_row ? kRows : kCols;
      const double reference = of_row ? 8 : 4;
      const double coordinate = kind == 0   ? (2 * (index + 0.5) / size - 1) * 2 * std::acos(-1.0)
                                : kind == 1 ? index
                                            : (index + 1) / size * reference;
      const double k = static_cast<double>(pair % (kDim / 4)) / (kDim / 4.0);
      const double angle = token < kPrefix ? 0 : coordinate / std::pow(100.0, k);
      const int64_t first = layout == vit::RotaryLayout::half ? pair : 2 * pair;
      const int64_t second = layout == vit::RotaryLayout::half ? pair + kDim / 2 : 2 * pair + 1;
      for (int64_t head = 0; head < 2; ++head) {
        const double a = x[0][head][token][first].item<double>();
        const double b = x[0][head][token][second].item<double>();
        const auto difference = [&](int64_t channel, double expected) {
          worst = std::max(worst, std::abs(got[0][head][token][channel].item<double>() - expected));
        };
        difference(first, a * std::cos(angle) - b * std::sin(angle));
        difference(second, b * std::cos(angle) + a * std::sin(angle));
      }
    }
  CHECK(worst < 1e-5);
}

TEST_CASE("learned frequencies turn each head by row and column together") {
  const vit::RotaryConfig config{.frequencies = vit::RotaryFrequencies::learned,
                                 .class_angles = true};
  auto generator = at::make_generator<at::CPUGeneratorImpl>(4);
  const vit::RotaryWeights weights{at::randn({2, 3, 4}, generator), at::randn({4}, generator)};
  const auto positions = vit::patch_positions({1, 2, 3}, 2, 2);
  const auto angles = vit::rotary_angles(config, 8, {1, 2, 3}, positions, 2, weights);
  REQUIRE(angles.sin.sizes() == at::IntArrayRef({1, 3, 8, 4}));
  for (int64_t head = 0; head < 3; ++head)
    for (int64_t token = 0; token < 8; ++token) {
      const double row = static_cast<double>((token - 2) / 3);
      const double column = static_cast<double>((token - 2) % 3);
      // The class token has its own, the register behind it none.
      const auto expected = token == 0 ? weights.class_angles
                            : token == 1
                                ? at::zeros({4})
                                : weights.freqs[0][head] * column + weights.freqs[1][head] * row;
      CHECK(test::max_difference(angles.sin[0][head][token], expected.sin()) < 1e-5);
      CHECK(test::max_difference(angles.cos[0][head][token], expected.cos()) < 1e-5);
    }
}

TEST_CASE("three axes turn as V-JEPA 2 was trained") {
  const vit::RotaryConfig config{.layout = vit::RotaryLayout::interleaved_tiled, .axes = 3};
  constexpr int64_t kDim = 16, kOfAxis = 4;  // 2 * ((16 / 3) / 2) channels, the last 4 stay
  const vit::Extent grid{2, 2, 3};
  const auto positions = vit::patch_positions(grid, 0, 3);
  REQUIRE(test::same(positions[0][7], at::tensor({1.0f, 0.0f, 1.0f})));
  const auto x = at::randn({1, 1, 12, kDim}, at::make_generator<at::CPUGeneratorImpl>(5));
  const auto got = vit::rotate(x, vit::rotary_angles(config, kDim, grid, positions, 0));
  double worst = 0;
  for (int64_t token = 0; token < 12; ++token)
    for (int64_t channel = 0; channel < kDim; ++channel) {
      const auto at = [&](int64_t c) { return x[0][0][token][c].item<double>(); };
      double expected = at(channel);
      if (const int64_t axis = channel / kOfAxis; axis < 3) {
        const double place = positions[0][token][axis].item<double>();
        const double angle = place * std::pow(10000.0, -static_cast<double>(channel % 2) / 2);
        const double partner = channel % 2 ? at(channel - 1) : -at(channel + 1);
        expected = at(channel) * std::cos(angle) + partner * std::sin(angle);
      }
      worst = std::max(worst, std::abs(got[0][0][token][channel].item<double>() - expected));
    }
  CHECK(worst < 1e-5);
}

TEST_CASE("rotary positions refuse what they cannot turn") {
  const vit::RotaryConfig config;
  CHECK_THROWS(vit::rotary_angles(config, 6, {1, 2, 2}, at::zeros({1, 4, 2}), 0));
  CHECK_THROWS(vit::rotary_angles(config, 8, {1, 2, 2}, at::zeros({1, 4, 3}), 0));
}

TEST_CASE("rotary positions travel with the tokens that merge") {
  const at::NoGradGuard no_grad;
  auto config = test::tiny_config({32, 48});
  config.vit.depth = 3;
  config.vit.block.attention.rotary.emplace();
  config.vit.positions.kind = GENERATE(vit::PositionKind::learned, vit::PositionKind::none);
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  for (auto& parameter : model->parameters()) parameter.mul_(4);
  const auto input = at::randn({2, 3, 32, 48}, at::make_generator<at::CPUGeneratorImpl>(2));
  const auto plain = model->forward_all(input, {.track_positions = true});
  CHECK_FALSE(model->forward_all(input).positions.defined());  // there, but nobody asked
  CHECK(test::same(plain.positions[0][7], at::tensor({1.0f, 0.0f})));

  tome::apply(model, {.r = 3});
  const auto merged = model->forward_all(input, {.track_source = true, .track_positions = true});
  // Where a token is: the mean of its patches.
  const auto patches = merged.source.slice(1, 1).slice(2, 1);
  const auto expected = at::matmul(patches, plain.positions.slice(1, 1)) / patches.sum(2, true);
  CHECK(test::max_difference(merged.positions.slice(1, 1), expected) < 1e-5);

  // And it matters: without them the model says something else.
  auto without = config;
  without.vit.block.attention.rotary.reset();
  vit::VisionTransformer other(without);
  for (const auto& parameter : model->named_parameters())
    other->named_parameters()[parameter.key()].copy_(parameter.value());
  other->eval();
  CHECK(test::max_difference(other->forward(input), plain.logits) > 1e-3);
}
