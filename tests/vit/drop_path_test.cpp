#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <cmath>
#include <limits>
#include <map>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/error.h>
#include <vit/layers.h>
#include <vit/vision_transformer.h>

namespace {

vit::VisionTransformer model_of(int64_t depth) {
  auto config = test::tiny_config({16, 24});
  config.vit.depth = depth;
  vit::VisionTransformer model(config);
  model->init_weights(1);
  at::NoGradGuard no_grad;
  for (auto& parameter : model->parameters()) parameter.mul_(10);
  return model;
}

/// `count` times the same picture.
at::Tensor pixels(int64_t count) {
  return at::randn({1, 3, 16, 24}, at::make_generator<at::CPUGeneratorImpl>(7))
      .expand({count, -1, -1, -1});
}

/// How many of `count` samples may lie beside the expected share: five standard deviations.
double spread(double share, double count) { return 5 * std::sqrt(share * (1 - share) * count); }

}  // namespace

TEST_CASE("path factors are zero for their share of the samples and keep the mean") {
  at::manual_seed(3);
  constexpr int64_t kSamples = 4000;
  const double rate = GENERATE(0.1, 0.6);
  const auto factors = vit::draw_path_factors(kSamples, rate);
  const auto kept = factors.masked_select(factors != 0);
  CHECK(factors.sizes() == at::IntArrayRef({kSamples}));
  CHECK(std::abs(static_cast<double>(kSamples - kept.numel()) - rate * kSamples) <
        spread(rate, kSamples));
  CHECK(test::max_difference(kept, at::full_like(kept, 1 / (1 - rate))) < 1e-6);
}

TEST_CASE("drop path grows linearly over the blocks and needs training mode") {
  at::manual_seed(3);
  constexpr int64_t kSamples = 3000;
  constexpr double kRate = 0.4;
  at::NoGradGuard no_grad;
  auto model = model_of(3);
  const auto input = pixels(kSamples);
  model->eval();
  const auto expected = model->forward(input);
  model->set_drop_path(kRate);
  CHECK(test::same(model->forward(input), expected));

  model->train();
  const auto logits = model->forward(input).contiguous();
  // Four branches may be left out or not: those of the second and of the third block.
  std::map<float, int64_t> outcomes;
  for (int64_t i = 0; i < kSamples; ++i) ++outcomes[logits[i][0].item<float>()];
  CHECK(outcomes.size() == 16);
  const double all_kept = std::pow(1 - kRate / 2, 2) * std::pow(1 - kRate, 2);
  int64_t most = 0;
  for (const auto& outcome : outcomes) most = std::max(most, outcome.second);
  CHECK(std::abs(static_cast<double>(most) - all_kept * kSamples) < spread(all_kept, kSamples));

  model->set_drop_path(0);
  CHECK(test::max_difference(model->forward(input), expected) < 1e-5);
}

TEST_CASE("the first block never drops its branches") {
  at::NoGradGuard no_grad;
  auto model = model_of(1);
  const auto expected = model->forward(pixels(8));
  model->set_drop_path(0.9);
  CHECK(test::max_difference(model->forward(pixels(8)), expected) < 1e-5);
}

TEST_CASE("drop path is repeatable and works with merging") {
  auto model = model_of(2);
  tome::apply(model, {.r = 2});
  model->set_drop_path(0.5);
  const auto run = [&](uint64_t seed) {
    at::manual_seed(seed);
    return model->forward(pixels(16)).detach();
  };
  const auto first = run(1);
  CHECK(test::same(run(1), first));
  CHECK_FALSE(test::same(run(2), first));
}

TEST_CASE("drop path rates that cannot be are refused") {
  auto model = model_of(2);
  for (const double rate : {-0.1, 1.0, 2.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(model->set_drop_path(rate), vit::Error);
}
