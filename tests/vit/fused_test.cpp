#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/support/fused_runs.h"
#include "tests/vit/block_kinds.h"
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

using vit::kernels::Math;

namespace {

vit::ModelConfig config_of(int64_t dim, int64_t heads) {
  vit::ModelConfig config;
  config.vit.set_image_size({40, 64});
  config.vit.patch.set_size({8, 8});
  config.vit.block.dim = dim;
  config.vit.depth = 3;
  config.vit.block.attention.num_heads = heads;
  config.vit.block.mlp.hidden_dim = 3 * dim - 6;
  config.vit.head.num_classes = 7;
  return config;
}

vit::VisionTransformer model_of(const vit::ModelConfig& config, at::ScalarType dtype = at::kFloat) {
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  at::NoGradGuard no_grad;
  for (const auto& parameter : model->named_parameters()) {
    parameter.value().requires_grad_(false);
    // Weights of training scale make all tokens alike; larger ones make decisions clear.
    if (parameter.value().dim() > 1) parameter.value().mul_(4);
    if (parameter.key().ends_with("gamma")) parameter.value().fill_(0.7);
    if (parameter.key().ends_with("bias"))
      parameter.value().normal_(0, 0.1, at::make_generator<at::CPUGeneratorImpl>(5));
  }
  model->to(dtype);
  return model;
}

at::Tensor pixels(const vit::ModelConfig& config, int64_t batch) {
  return at::randn({batch, 3, config.vit.image_size().height, config.vit.image_size().width},
                   at::make_generator<at::CPUGeneratorImpl>(7));
}

vit::ForwardResult reference(vit::VisionTransformer& model, const at::Tensor& input) {
  const test::KernelChoice choice("reference");
  const test::FusedRuns runs;
  auto result = model->forward_all(input, {.track_source = true});
  CHECK(runs.count() == 0);
  return result;
}

vit::ForwardResult fused(vit::VisionTransformer& model, const at::Tensor& input) {
  const test::KernelChoice choice("auto");
  const test::FusedRuns runs;
  auto result = model->forward_all(input, {.track_source = true});
  CHECK(runs.count() == 1);
  return result;
}

double relative(const at::Tensor& a, const at::Tensor& b) {
  return test::max_difference(a, b) / b.abs().max().item<double>();
}

}  // namespace

TEST_CASE("fused blocks compute what separate operators do") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const int threads = GENERATE(1, 2, 3, 4);
  const int64_t batch = GENERATE(1, 2, 3, 9);
  const int64_t r = GENERATE(0, 4, 100);
  const auto [dim, heads] =
      GENERATE(table<int64_t, int64_t>({{24, 3}, {64, 1}, {80, 5}, {144, 2}}));
  CAPTURE(threads, batch, r, dim, heads);
  const test::ThreadCount thread_count(threads);
  const auto config = config_of(dim, heads);
  auto model = model_of(config);
  tome::apply(model, {.r = r});
  const auto input = pixels(config, batch);
  const auto expected = reference(model, input);
  const auto got = fused(model, input);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::max_difference(got.logits, expected.logits) < 1e-4);
  CHECK(test::same(got.size, expected.size));
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks know every kind of block") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 4);
  const std::string kind =
      GENERATE(values<std::string>({"plain", "qk norm", "layer scale", "swiglu", "tanh", "quick",
                                    "no qkv bias", "registers", "no prefix"}),
               from_range(test::inner_kinds()), from_range(test::position_kinds()));
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(kind, target);
  test::set_block_kind(config.vit, kind);
  auto model = model_of(config);
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
  auto config = config_of(dim, heads);
  test::set_block_kind(config.vit, kind);
  auto model = model_of(config);
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
  auto config = config_of(48, 4);
  test::set_block_kind(config.vit, kind);
  auto model = model_of(config);
  tome::apply(model, {.r = tome::Schedule(std::vector<int64_t>{8, 8, 0}), .rotary = rule});
  const auto input = pixels(config, 3);
  const auto run = [&](const char* kernels, int64_t fused_runs) {
    const test::KernelChoice choice(kernels);
    const test::FusedRuns runs;
    auto result = model->forward_all(input, {.track_source = true, .track_positions = true});
    CHECK(runs.count() == fused_runs);
    return result;
  };
  const auto expected = run("reference", 0), got = run("auto", 1);
  CHECK(test::max_difference(got.features, expected.features) < 1e-4);
  CHECK(test::max_difference(got.coords, expected.coords) < 1e-5);
  CHECK(test::same(got.source, expected.source));
}

TEST_CASE("fused blocks of clips know where tokens are") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const int64_t dim = GENERATE(48, 64, 96, 128, 200);
  CAPTURE(dim);
  auto config = config_of(dim, 2);
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
  auto model = model_of(config);
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
  auto config = config_of(128, 4);
  test::set_block_kind(config.vit, kind);
  const auto input = pixels(config, 4);
  auto exact = model_of(config), half = model_of(config, at::kBFloat16);
  const auto expected = reference(exact, input);
  half->set_int8(quantize);
  const auto got = fused(half, input.to(at::kBFloat16));
  CHECK(relative(got.features, expected.features) < (quantize ? 0.1 : 0.05));
}

TEST_CASE("fused blocks in bfloat16 stay close to float32") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  const auto config = config_of(128, 2);
  const auto input = pixels(config, 4);
  auto exact = model_of(config), half = model_of(config, at::kBFloat16);
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
  const auto config = config_of(128, 2);
  const auto input = pixels(config, 4);
  auto exact = model_of(config), half = model_of(config, at::kBFloat16);
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
  auto config = config_of(48, 3);
  config.vit.depth = 1;
  test::set_block_kind(config.vit, kind);
  auto model = model_of(config, dtype);
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

TEST_CASE("what is no number in a relative bias reaches the logits of fused blocks") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  CAPTURE(target, dtype);
  auto config = config_of(48, 3);
  config.vit.head.pooling = vit::Pooling::avg;
  test::set_block_kind(config.vit, "relative bias");
  auto model = model_of(config, dtype);
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

TEST_CASE("fused blocks notice new weights") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = config_of(48, 3);
  auto model = model_of(config);
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
  const auto config = config_of(48, 3);
  auto model = model_of(config);
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
  auto config = config_of(48, 3);
  config.vit.block.norm_place = vit::NormPlace::post;
  auto model = model_of(config);
  tome::apply(model, {.r = 5});
  const auto input = pixels(config, 3);
  const auto expected = model->forward(input);
  const vit::InferenceModel inference(model);
  CHECK_FALSE(inference.is_packed());
  CHECK(test::same(inference.forward(input), expected));
  CHECK_FALSE(inference.forward(input).requires_grad());
}

TEST_CASE("fused blocks leave gradients alone") {
  const auto config = config_of(48, 3);
  auto model = model_of(config);
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
  const auto config = config_of(64, 2);
  auto model = model_of(config);
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
  const auto config = config_of(48, 3);
  auto model = model_of(config);
  tome::apply(model, {.r = 5});
  CHECK(model->forward(pixels(config, 0)).sizes() == at::IntArrayRef({0, 7}));
}
