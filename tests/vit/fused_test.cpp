#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/support/fused_runs.h"
#include "tests/vit/block_kinds.h"
#include "tests/vit/fused_model.h"
#include "tests/vit/native.h"
#include "tests/vit/simd_target.h"

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/error.h>
#include <vit/inference_model.h>
#include <vit/kernels/product.h>
#include <vit/vision_transformer.h>

// All blocks as one kernel against the same blocks as separate operators.

using test::fused;
using test::fused_config;
using test::fused_model;
using test::pixels;
using test::reference;
using test::relative;
using vit::kernels::Math;

TEST_CASE("fused blocks compute what separate operators do") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const int threads = GENERATE(1, 2, 3, 4);
  const int64_t batch = GENERATE(1, 2, 3, 9);
  const int64_t r = GENERATE(0, 4, 100);
  const auto [dim, heads] =
      GENERATE(table<int64_t, int64_t>({{24, 3}, {64, 1}, {80, 5}, {144, 2}}));
  CAPTURE(threads, batch, r, dim, heads);
  const test::ThreadCount thread_count(threads);
  const auto config = fused_config(dim, heads);
  auto model = fused_model(config);
  tome::apply(model, {.r = r});
  const auto input = pixels(config, batch);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::max_difference(got.logits, expected.logits) < 1e-4);
  CHECK(test::same(got.size, expected.size));
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks in bfloat16 stay close to float32") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  const auto config = fused_config(128, 2);
  const auto input = pixels(config, 4);
  auto exact = fused_model(config), half = fused_model(config, at::kBFloat16);
  const auto expected = reference(exact, input);
  const auto plain = reference(half, input.to(at::kBFloat16));
  const auto got = fused(half, input.to(at::kBFloat16));
  CHECK(got.features.scalar_type() == at::kBFloat16);
  // Weights and inputs carry eight bits; what is kept in float32 on the way must not be worse
  // than rounding at every operator.
  CHECK(relative(got.features, expected.features) < 0.05);
  CHECK((got.features.to(at::kFloat) - expected.features).square().mean().item<double>() <=
        1.1 * (plain.features.to(at::kFloat) - expected.features).square().mean().item<double>());
  SKIP_UNLESS_NATIVE(Math::bf16);  // what ran was in float32
}

TEST_CASE("fused blocks in 8-bit integers stay close to float32") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  const auto config = fused_config(128, 2);
  const auto input = pixels(config, 4);
  auto exact = fused_model(config), half = fused_model(config, at::kBFloat16);
  const auto expected = reference(exact, input);
  if (!vit::kernels::is_native(Math::int8)) CHECK_THROWS_AS(exact->set_int8(true), vit::Error);
  SKIP_UNLESS_NATIVE(Math::int8);
  for (auto* model : {&exact, &half}) {
    (*model)->set_int8(true);
    const auto features = fused(*model, input.to((*model)->parameters()[0].dtype())).features;
    CHECK(relative(features, expected.features) < 0.1);
    CHECK(test::max_difference(features, expected.features) > 1e-4);  // it did something
    (*model)->set_int8(false);
  }
  CHECK(test::max_difference(fused(exact, input).features, expected.features) < 1e-4);
}

TEST_CASE("what is not finite in a weight reaches the logits of fused blocks") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const bool quantize = GENERATE(false, true);
  const std::string kind = GENERATE(as<std::string>{}, "plain", "swiglu", "tanh", "quick", "silu",
                                    "inner RMS norms", "rotary learned", "rotary class angles");
  if (quantize && !vit::kernels::is_native(Math::int8)) return;
  CAPTURE(target, dtype, quantize, kind);
  auto config = fused_config(48, 3);
  config.vit.depth = 1;
  test::set_block_kind(config.vit, kind);
  auto model = fused_model(config, dtype);
  tome::apply(model, {.r = 3});
  model->set_int8(quantize);
  const auto input = pixels(config, 2);
  CHECK(fused(model, input).logits.isfinite().all().item<bool>());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), kInfinity, -kInfinity})
    for (const auto& item : model->named_parameters()) {
      CAPTURE(bad, item.key());
      auto number = item.value().view(-1)[item.value().numel() / 2];
      const auto before = number.clone();
      number.fill_(bad);
      const bool in_head = item.key().starts_with("head.");
      const auto logits = fused(model, input).logits;
      CHECK(logits.isfinite().logical_not().any(1).all().item<bool>());
      CHECK((in_head || !logits.isfinite().any().item<bool>()));
      number.copy_(before);
    }
}

TEST_CASE("fused blocks notice new weights") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = fused_config(48, 3);
  auto model = fused_model(config);
  const auto input = pixels(config, 2);
  const auto before = fused(model, input).logits;
  const auto check = [&] {
    const auto after = fused(model, input).logits;
    CHECK(test::max_difference(after, before) > 1e-3);
    CHECK(test::max_difference(after, reference(model, input).logits) < 1e-4);
  };
  {
    at::NoGradGuard no_grad;
    model->named_parameters()["blocks.1.mlp.fc1.weight"].mul_(1.5);
  }
  check();
  model->named_parameters()["blocks.0.attn.qkv.weight"].set_data(
      at::randn({144, 48}, at::make_generator<at::CPUGeneratorImpl>(3)));
  check();
  model->to(at::kBFloat16);
  CHECK(fused(model, input).logits.scalar_type() == at::kBFloat16);
}

TEST_CASE("an inference model computes the same and says what it cannot do") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = fused_config(48, 3);
  auto model = fused_model(config);
  const auto input = pixels(config, 3);
  tome::apply(model, {.r = 5});
  const auto expected = model->forward_all(input, {.track_source = true});
  const vit::InferenceModel shared(model);
  REQUIRE(shared.is_packed());
  // Somebody else holds the module, whose weights are left as they are.
  CHECK(test::same(model->forward(input), expected.logits));

  const vit::InferenceModel packed(std::move(model));
  const vit::InferenceModel copy = packed;
  for (const auto* each : {&shared, &packed, &copy}) {
    const test::FusedRuns runs;
    const auto got = each->forward_all(input, {.track_source = true});
    CHECK(test::same(got.logits, expected.logits));
    CHECK(test::same(got.source, expected.source));
    CHECK(runs.count() == 1);
  }
  CHECK(packed.config() == config.vit);
  const test::KernelChoice choice("reference");
  CHECK_THROWS_WITH(packed.forward(input), Catch::ContainsSubstring("VisionTransformer"));
}

TEST_CASE("an inference model of blocks that the kernels do not know runs them as operators") {
  auto config = fused_config(48, 3);
  config.vit.block.norm_place = vit::NormPlace::post;
  auto model = fused_model(config);
  tome::apply(model, {.r = 5});
  const auto input = pixels(config, 3);
  const auto expected = model->forward(input);
  const vit::InferenceModel inference(model);
  CHECK_FALSE(inference.is_packed());
  CHECK(test::same(inference.forward(input), expected));
  CHECK_FALSE(inference.forward(input).requires_grad());
}

TEST_CASE("fused blocks leave gradients alone") {
  const auto config = fused_config(48, 3);
  auto model = fused_model(config);
  auto input = pixels(config, 2).requires_grad_(true);
  const test::FusedRuns runs;
  model->forward(input).sum().backward();
  CHECK(input.grad().abs().sum().item<double>() > 0);
  for (auto& parameter : model->parameters()) parameter.requires_grad_(true);
  CHECK(model->forward(input.detach()).requires_grad());
  CHECK(runs.count() == 0);
  at::NoGradGuard no_grad;
  CHECK_FALSE(model->forward(input.detach()).requires_grad());
}

TEST_CASE("fused blocks run in many threads at once") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = fused_config(64, 2);
  auto model = fused_model(config);
  tome::apply(model, {.r = 5});
  const auto input = pixels(config, 6);
  const auto expected = reference(model, input).logits;
  const test::FusedRuns runs;
  std::vector<double> worst(4, 0.0);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < worst.size(); ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 10; ++round) {
        const int64_t first = (static_cast<int64_t>(i) + round) % 5;
        const int64_t last = round % 2 ? first + 1 : 6;
        worst[i] =
            std::max(worst[i], test::max_difference(model->forward(input.slice(0, first, last)),
                                                    expected.slice(0, first, last)));
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(runs.count() == 4 * 10);
  for (const double difference : worst) CHECK(difference < 1e-4);
}

TEST_CASE("an empty batch has no logits") {
  const auto config = fused_config(48, 3);
  auto model = fused_model(config);
  tome::apply(model, {.r = 5});
  CHECK(model->forward(pixels(config, 0)).sizes() == at::IntArrayRef({0, 7}));
}
