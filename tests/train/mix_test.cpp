#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include <train/mix.h>
#include <vit/config.h>
#include <vit/error.h>

namespace {

struct Mixed {
  at::Tensor pixels, targets;
  double keep = 1.0;    ///< each picture's own share
  int64_t partner = 0;  ///< of picture 0
};

/// Mixes pictures of a value each, 0 to batch - 1, each of a class of its own.
Mixed mix_flat(int64_t batch, const train::MixOptions& options, uint64_t seed,
               vit::Size2d size = {6, 8}) {
  const at::Tensor value = at::arange(batch, at::kDouble).reshape({batch, 1, 1, 1});
  Mixed mixed{value.repeat({1, 3, size.height, size.width}), at::eye(batch, at::kDouble)};
  train::mix_batch(mixed.pixels, mixed.targets, options, seed);
  mixed.keep = mixed.targets[0][0].item<double>();
  if (batch > 1) mixed.partner = mixed.targets[0].slice(0, 1).argmax().item<int64_t>() + 1;
  return mixed;
}

/// The targets where picture i gives 1 - keep to picture i + partner.
at::Tensor expected_targets(const Mixed& mixed) {
  const at::Tensor own = at::eye(mixed.targets.size(0), at::kDouble);
  return mixed.keep * own + (1.0 - mixed.keep) * own.roll(mixed.partner, 1);
}

}  // namespace

TEST_CASE("Mixup takes the mean of two pictures and of their targets") {
  for (const int64_t batch : {2, 3, 4, 9})
    for (uint64_t seed = 0; seed < 20; ++seed) {
      INFO("a batch of " << batch << ", seed " << seed);
      const Mixed mixed = mix_flat(batch, {.mixup = 0.8}, seed);
      CHECK(test::max_difference(mixed.targets, expected_targets(mixed)) < 1e-12);
      const at::Tensor means = at::matmul(mixed.targets, at::arange(batch, at::kDouble));
      const at::Tensor expected = means.reshape({batch, 1, 1, 1}).expand_as(mixed.pixels);
      CHECK(test::max_difference(mixed.pixels, expected) < 1e-12);
    }
}

TEST_CASE("CutMix pastes a rectangle, and targets follow its area") {
  for (const int64_t batch : {2, 3, 8})
    for (uint64_t seed = 0; seed < 40; ++seed) {
      INFO("a batch of " << batch << ", seed " << seed);
      const Mixed mixed = mix_flat(batch, {.cutmix = 1.0}, seed, {32, 40});
      CHECK(test::max_difference(mixed.targets, expected_targets(mixed)) < 1e-12);
      const at::Tensor own = at::arange(batch, at::kDouble).reshape({batch, 1, 1, 1});
      const at::Tensor pasted = mixed.pixels.ne(own);
      CHECK(test::same(pasted, pasted[0].expand_as(pasted)));
      const at::Tensor partner = own.add(mixed.partner).remainder(batch);
      CHECK(test::same(mixed.pixels.masked_select(pasted),
                       partner.expand_as(pasted).masked_select(pasted)));
      CHECK(1.0 - pasted.to(at::kDouble).mean().item<double>() == Approx(mixed.keep));
      const at::Tensor rows = pasted[0][0].any(1), columns = pasted[0][0].any(0);
      CHECK(test::same(pasted[0][0], at::outer(rows.to(at::kLong), columns.to(at::kLong))));
      for (const at::Tensor& side : {rows, columns})  // no gaps
        CHECK(side.to(at::kLong).diff().abs().sum().item<int64_t>() <= 2);
    }
}

TEST_CASE("CutMix's rectangles have the area that the centres leave within the picture") {
  constexpr int kDraws = 600;
  double sum = 0.0, squares = 0.0;
  for (int seed = 0; seed < kDraws; ++seed) {
    const double area = 1.0 - mix_flat(2, {.cutmix = 1.0}, seed, {64, 64}).keep;
    sum += area / kDraws;
    squares += area * area / kDraws;
  }
  // Of a side with the share s, s - s^2 / 4 is within on average; s^2 is uniform.
  const double expected = 1.0 / 2.0 - 1.0 / 5.0 + 1.0 / 48.0;
  CHECK(std::abs(sum - expected) < 5.0 * std::sqrt((squares - sum * sum) / kDraws));
}

TEST_CASE("The share of a picture has a symmetric beta distribution") {
  for (const double alpha : {0.1, 0.8, 1.0, 5.0}) {
    constexpr int kDraws = 4000;
    double sum = 0.0, squares = 0.0;
    for (int seed = 0; seed < kDraws; ++seed) {
      const double share = mix_flat(2, {.mixup = alpha}, seed, {1, 1}).keep - 0.5;
      sum += share;
      squares += share * share;
    }
    const double variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
    // The kurtosis is 3 - 6 / (2 alpha + 3).
    const double spread = std::sqrt((2.0 - 6.0 / (2.0 * alpha + 3.0)) / kDraws) * variance;
    INFO("alpha " << alpha);
    CHECK(std::abs(sum / kDraws) < 5.0 * std::sqrt(variance / kDraws));
    CHECK(std::abs(squares / kDraws - variance) < 5.0 * spread);
  }
  for (const double alpha : {5e-324, 1e-4, 1000.0})
    for (int seed = 0; seed < 50; ++seed) {
      const double keep = mix_flat(2, {.mixup = alpha}, seed).keep;
      CHECK((keep >= 0.0 && keep <= 1.0));
    }
}

TEST_CASE("Batches are mixed and pasted as often as asked") {
  constexpr int kBatches = 2000;
  int mixed = 0, pasted = 0;
  for (int seed = 0; seed < kBatches; ++seed) {
    const Mixed batch = mix_flat(
        5, {.mixup = 1.0, .cutmix = 1.0, .probability = 0.7, .switching = 0.4}, seed, {16, 16});
    const at::Tensor first = batch.pixels[0];
    const bool even = first.max().item<double>() == first.min().item<double>();
    mixed += batch.keep < 1.0;
    pasted += batch.keep < 1.0 && !even;
  }
  // Nothing is pasted, too, where CutMix draws a rectangle without pixels: below 2 of 16 pixels.
  CHECK(std::abs(mixed - 0.7 * kBatches) < 5 * std::sqrt(0.21 * kBatches) + 0.02 * kBatches);
  CHECK(std::abs(pasted - 0.28 * kBatches) < 5 * std::sqrt(0.2 * kBatches) + 0.02 * kBatches);
}

TEST_CASE("Mixing follows its seed, and stays away where it has nothing to do") {
  const train::MixOptions both{.mixup = 0.8, .cutmix = 1.0};
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Mixed a = mix_flat(4, both, seed), b = mix_flat(4, both, seed);
    CHECK(test::same(a.pixels, b.pixels));
    CHECK(test::same(a.targets, b.targets));
    CHECK(!test::same(a.targets, mix_flat(4, both, seed + 1).targets));
    CHECK(mix_flat(1, both, seed).keep == 1.0);
    CHECK(mix_flat(4, {}, seed).keep == 1.0);
    CHECK(mix_flat(4, {.mixup = 1.0, .probability = 0.0}, seed).keep == 1.0);
  }
  at::manual_seed(1);
  const at::Tensor expected = at::rand({3});
  at::manual_seed(1);
  mix_flat(4, both, 0);
  CHECK(test::same(at::rand({3}), expected));
}

TEST_CASE("Pixels are mixed in the dtype that they have") {
  for (const auto dtype : {at::kBFloat16, at::kHalf, at::kFloat}) {
    at::Tensor pixels = at::ones({3, 3, 4, 4}, dtype), targets = at::eye(3);
    train::mix_batch(pixels, targets, {.mixup = 1.0}, 5);
    CHECK(pixels.scalar_type() == dtype);
    CHECK(test::max_difference(pixels, at::ones_like(pixels)) < 0.01);
    CHECK(test::max_difference(targets.sum(1), at::ones({3})) < 1e-6);
  }
}

TEST_CASE("Mixing says what is wrong") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto message = [](const train::MixOptions& options) {
    try {
      options.validate();
    } catch (const vit::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(message({.mixup = -1}) ==
        "MixOptions::mixup is -1, expected 0 (none) to 1000, the alpha of a beta distribution");
  CHECK(message({.mixup = nan}).starts_with("MixOptions::mixup is nan, expected"));
  CHECK(message({.cutmix = 1e9}).starts_with("MixOptions::cutmix is 1e+09, expected"));
  CHECK(message({.probability = 1.5}) ==
        "MixOptions::probability is 1.5, expected a probability from 0 to 1");
  CHECK(message({.switching = nan}).starts_with("MixOptions::switching is nan, expected"));
  CHECK(message({.mixup = 0.8, .cutmix = 1}).empty());

  const auto mix = [](at::Tensor pixels, at::Tensor targets) {
    train::mix_batch(pixels, targets, {.mixup = 1.0}, 0);
  };
  CHECK_THROWS_AS(mix(at::rand({3, 4, 4}), at::eye(3)), c10::Error);
  CHECK_THROWS_AS(mix(at::rand({3, 3, 4, 4}), at::eye(2)), c10::Error);
  CHECK_THROWS_AS(mix(at::rand({3, 3, 4, 4}), at::arange(3)), c10::Error);
  CHECK_THROWS_AS(mix(at::zeros({3, 3, 4, 4}, at::kByte), at::eye(3)), c10::Error);
  at::Tensor targets = at::eye(2), pixels = at::rand({2, 3, 4, 4});
  CHECK_THROWS_AS(train::mix_batch(pixels, targets, {.mixup = -1}, 0), vit::Error);
}
