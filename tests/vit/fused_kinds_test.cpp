#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/support/fused_runs.h"
#include "tests/tome/other_reducers.h"
#include "tests/vit/block_kinds.h"
#include "tests/vit/fused_model.h"
#include "tests/vit/native.h"
#include "tests/vit/simd_target.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <tome/threshold.h>
#include <tome/tome.h>
#include <vit/inference_model.h>
#include <vit/kernels/product.h>

// Fused blocks of every kind against the same blocks as separate operators.

using test::fused;
using test::fused_config;
using test::fused_model;
using test::pixels;
using test::reference;
using test::relative;
using vit::kernels::Math;

TEST_CASE("fused blocks know every kind of block") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = fused_config(48, 4);
  const std::string kind =
      GENERATE(values<std::string>({"plain", "qk norm", "layer scale", "swiglu", "tanh", "quick",
                                    "no qkv bias", "registers", "no prefix"}),
               from_range(test::inner_kinds()), from_range(test::position_kinds()));
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(kind, target);
  test::set_block_kind(config.vit, kind);
  auto model = fused_model(config);
  const bool prop_attn = GENERATE(true, false);
  tome::apply(model, {.r = tome::Schedule(std::vector<int64_t>{5, 0, 7}), .prop_attn = prop_attn});
  const auto input = pixels(config, 4);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::max_difference(got.logits, expected.logits) < 1e-4);
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks of heads of any width know where tokens are") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const std::string kind = GENERATE(from_range(test::position_kinds()));
  const auto [dim, heads] =
      GENERATE(table<int64_t, int64_t>({{64, 2}, {64, 4}, {128, 2}, {176, 2}, {72, 2}, {80, 4}}));
  const int threads = GENERATE(1, 2);
  CAPTURE(kind, dim, heads, threads);
  const test::ThreadCount thread_count(threads);
  auto config = fused_config(dim, heads);
  test::set_block_kind(config.vit, kind);
  auto model = fused_model(config);
  tome::apply(model, {.r = tome::Schedule(std::vector<int64_t>{0, 9, 6})});
  const auto input = pixels(config, 3);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks follow every rule for the positions of merged tokens") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const std::string kind =
      GENERATE(as<std::string>{}, "rotary", "rotary halves", "rotary learned",
               "rotary class angles", "rotary, qk norm", "rotary, grouped queries");
  const auto rule = GENERATE(tome::RotaryRule::mean, tome::RotaryRule::keep,
                             tome::RotaryRule::mean_of_angles, tome::RotaryRule::rotated_metric);
  CAPTURE(target, kind, static_cast<int>(rule));
  auto config = fused_config(48, 4);
  test::set_block_kind(config.vit, kind);
  auto model = fused_model(config);
  tome::apply(model, {.r = tome::Schedule(std::vector<int64_t>{8, 8, 0}), .rotary = rule});
  const auto input = pixels(config, 3);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::max_difference(got.coords, expected.coords) < 1e-5);
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks know where tokens are whatever the reducer makes of them") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const std::string kind = GENERATE(from_range(test::position_kinds()));
  auto config = fused_config(48, 4);
  test::set_block_kind(config.vit, kind);
  auto model = fused_model(config);
  const std::string reducer = GENERATE(as<std::string>{}, "drops", "new rows", "ragged");
  CAPTURE(kind, reducer);
  if (reducer == "ragged")
    model->set_reducer(
        std::make_shared<tome::ThresholdReducer>(tome::ThresholdOptions{.tau = {0.5}}));
  else if (config.vit.prefix.cls_tokens)
    model->set_reducer(std::make_shared<test::Evit>(test::OtherReducer::SizeUse{true, true},
                                                    std::vector<double>{0.8, 1, 0.7},
                                                    reducer == "new rows"));
  const auto input = pixels(config, 3);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::max_difference(got.positions, expected.positions) < 1e-5);
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks of clips know where tokens are") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const int64_t dim = GENERATE(48, 64, 96, 128, 200);
  CAPTURE(dim);
  auto config = fused_config(dim, 2);
  auto& c = config.vit;
  c.input.extent.frames = 4;
  c.input.preprocessing = vit::ClipPreprocessing{.frames = 4};
  c.set_image_size({40, 64});
  c.patch.kernel.frames = c.patch.stride.frames = 2;
  c.positions.kind = vit::PositionKind::none;
  c.prefix.cls_tokens = 0;
  c.head.pooling = vit::Pooling::avg;
  c.block.attention.rotary =
      vit::RotaryConfig{.layout = vit::RotaryLayout::interleaved_tiled, .axes = 3};
  auto model = fused_model(config);
  tome::apply(model, {.r = 11});
  const auto input = at::randn({2, 3, 4, 40, 64}, at::make_generator<at::CPUGeneratorImpl>(7));
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks of any kind in bfloat16 and 8-bit integers stay close to float32") {
  SKIP_UNLESS_NATIVE(Math::bf16);
  const std::string kind =
      GENERATE(from_range(test::inner_kinds()), from_range(test::position_kinds()));
  const bool quantize = GENERATE(false, true);
  if (quantize && !vit::kernels::is_native(Math::int8)) return;
  CAPTURE(kind, quantize);
  auto config = fused_config(128, 4);
  test::set_block_kind(config.vit, kind);
  const auto input = pixels(config, 4);
  auto exact = fused_model(config), half = fused_model(config, at::kBFloat16);
  const auto expected = reference(exact, input);
  half->set_int8(quantize);
  const auto got = fused(half, input.to(at::kBFloat16));
  CHECK(relative(got.features, expected.features) < (quantize ? 0.1 : 0.05));
}

TEST_CASE("what is no number in a relative bias reaches the logits of fused blocks") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  CAPTURE(target, dtype);
  auto config = fused_config(48, 3);
  config.vit.head.pooling = vit::Pooling::avg;
  test::set_block_kind(config.vit, "relative bias");
  auto model = fused_model(config, dtype);
  tome::apply(model, {.r = 3});
  const auto input = pixels(config, 2);
  CHECK(fused(model, input).logits.isfinite().all().item<bool>());
  auto number = model->named_parameters()["blocks.1.attn.relative_position_bias_table"].view(-1);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    CAPTURE(bad);
    number[number.size(0) / 2].fill_(bad);
    CHECK_FALSE(fused(model, input).logits.isfinite().any().item<bool>());
  }
}

TEST_CASE("learned angles of heads that share keys run as operators") {
  auto config = fused_config(48, 4);
  test::set_block_kind(config.vit, "rotary learned");
  config.vit.kv_heads = {4, 2, 4};
  auto model = fused_model(config);
  const auto input = pixels(config, 2);
  const test::FusedRuns runs;
  const auto expected = model->forward(input);
  const vit::InferenceModel inference(model);
  CHECK_FALSE(inference.is_packed());
  CHECK(test::same(inference.forward(input), expected));
  CHECK(runs.count() == 0);
}

TEST_CASE("fused blocks of a model whose layers differ in their heads of keys") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = fused_config(48, 4);
  test::set_block_kind(config.vit, GENERATE(as<std::string>{}, "plain", "rotary, qk norm"));
  config.vit.kv_heads = {4, 1, 2};
  auto model = fused_model(config);
  tome::apply(model, {.r = 6});
  const auto input = pixels(config, 3);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::same(got.source, expected.source));
}
