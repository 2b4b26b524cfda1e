#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <thread>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/error.h>
#include <vit/inference_model.h>
#include <vit/vision_transformer.h>

namespace {

vit::ModelConfig small_config() {
  auto config = test::tiny_config({32, 48});
  config.vit.block.dim = 24;
  config.vit.depth = config.vit.block.attention.num_heads = 3;
  return config;
}

vit::VisionTransformer small_model(const vit::ModelConfig& config = small_config()) {
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  // Weights of training scale make all tokens alike; larger ones make decisions clear.
  at::NoGradGuard no_grad;
  for (auto& parameter : model->parameters()) parameter.mul_(10);
  return model;
}

at::Tensor pixels(int64_t batch) {
  return at::randn({batch, 3, 32, 48}, at::make_generator<at::CPUGeneratorImpl>(7));
}

}  // namespace

TEST_CASE("submodules carry timm's parameter names") {
  auto config = small_config();
  config.vit.prefix.dist_token = true;
  config.vit.head.token_heads = 2;
  config.vit.prefix.reg_tokens = 2;
  config.vit.block.layer_scale = config.vit.block.attention.qk_norm = config.vit.pre_norm = true;
  vit::VisionTransformer model(config);
  const auto parameters = model->named_parameters();
  for (const char* name :
       {"cls_token", "dist_token", "reg_token", "pos_embed", "patch_embed.proj.weight",
        "norm_pre.bias", "blocks.2.norm1.weight", "blocks.0.attn.qkv.bias",
        "blocks.0.attn.q_norm.weight", "blocks.0.attn.k_norm.bias", "blocks.1.attn.proj.weight",
        "blocks.0.ls1.gamma", "blocks.0.ls2.gamma", "blocks.0.mlp.fc1.weight",
        "blocks.0.mlp.fc2.bias", "norm.weight", "head.weight", "head_dist.bias"})
    CHECK(parameters.contains(name));
  CHECK(parameters["pos_embed"].sizes() == at::IntArrayRef({1, 4 + 24, 24}));
}

TEST_CASE("a batch gives what its pictures give one by one, in any order") {
  at::NoGradGuard no_grad;
  auto model = small_model();
  tome::apply(model, {.r = 4});
  const auto batch = pixels(5);
  const auto together = model->forward_all(batch, {.track_source = true});
  const auto order = at::tensor({3, 0, 4, 2, 1});
  const auto permuted = model->forward_all(batch.index_select(0, order), {.track_source = true});
  CHECK(test::max_difference(permuted.logits, together.logits.index_select(0, order)) < 1e-5);
  CHECK(test::same(permuted.source, together.source.index_select(0, order)));
  for (int64_t i = 0; i < 5; ++i)
    CHECK(test::max_difference(model->forward(batch.slice(0, i, i + 1)),
                               together.logits.slice(0, i, i + 1)) < 1e-5);
}

TEST_CASE("every input token goes into exactly one row and sizes count them") {
  at::NoGradGuard no_grad;
  auto config = small_config();
  const int64_t registers = GENERATE(0, 1, 4);
  const int64_t r = GENERATE(0, 1, 5, 100);
  config.vit.prefix.reg_tokens = registers;
  auto model = small_model(config);
  tome::apply(model, {.r = r});
  const auto result = model->forward_all(pixels(2), {.track_source = true});
  const int64_t n0 = model->config().num_tokens();
  CAPTURE(registers, r, n0);
  CHECK(test::same(result.source.sum(1), at::ones({2, n0})));
  CHECK(test::same(result.source.sum(2), result.size));
  CHECK(test::same(result.size.sum(1), at::full({2}, n0)));
  const int64_t prefix = model->config().num_prefix_tokens();
  CHECK(test::same(result.source.slice(1, 0, prefix).slice(2, 0, prefix),
                   at::eye(prefix).expand({2, prefix, prefix})));
}

TEST_CASE("apply and remove leave the model as it was") {
  at::NoGradGuard no_grad;
  auto model = small_model();
  const auto input = pixels(2);
  const auto before = model->forward(input);
  tome::apply(model, {.r = 6});
  CHECK(test::max_difference(model->forward(input), before) > 1e-3);
  tome::remove(model);
  CHECK(test::same(model->forward(input), before));
  tome::apply(model, {.r = 0});
  CHECK(model->reducer() == nullptr);
}

TEST_CASE("threads share one model") {
  auto model = small_model();
  tome::apply(model, {.r = 3});
  constexpr int kThreads = 4, kRounds = 8;
  const auto input = pixels(kThreads);
  const auto expected = [&] {
    at::NoGradGuard no_grad;
    return model->forward(input);
  }();
  std::vector<double> worst(kThreads, 0.0);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      at::NoGradGuard no_grad;
      for (int round = 0; round < kRounds; ++round)
        worst[i] = std::max(worst[i], test::max_difference(model->forward(input.slice(0, i, i + 1)),
                                                           expected.slice(0, i, i + 1)));
    });
  for (auto& thread : threads) thread.join();
  for (const double difference : worst) CHECK(difference < 1e-5);
}

TEST_CASE("gradients reach every parameter through merging") {
  auto config = small_config();
  config.vit.block.layer_scale = true;
  config.vit.head.pooling = vit::Pooling::avg;
  config.vit.head.norm_before = false;
  config.vit.head.norm_after = true;
  auto model = small_model(config);
  model->train();
  tome::apply(model, {.r = 4});
  model->forward(pixels(2)).square().sum().backward();
  for (const auto& parameter : model->named_parameters()) {
    CAPTURE(parameter.key());
    REQUIRE(parameter.value().grad().defined());
    CHECK(parameter.value().grad().isfinite().all().item<bool>());
    CHECK(parameter.value().grad().abs().sum().item<double>() > 0);
  }
}

TEST_CASE("inputs of another shape are refused") {
  auto model = small_model();
  CHECK_THROWS_WITH(model->forward(at::zeros({1, 3, 48, 32})),
                    Catch::ContainsSubstring("expected pixels of [B, 3, 32, 48]"));
  CHECK_THROWS(model->forward(at::zeros({3, 32, 48})));
  CHECK_THROWS_AS(model->set_image_size({30, 48}), vit::Error);
  CHECK(model->config().image_size() == vit::Size2d{32, 48});
}

TEST_CASE("inputs that are no normalised pixels are refused by their type") {
  at::NoGradGuard no_grad;
  auto model = small_model();
  const auto as = [](at::ScalarType type) { return at::ones({1, 3, 32, 48}, type); };
  for (const auto type : {at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kBool,
                          at::kComplexFloat, at::kComplexDouble}) {
    CAPTURE(type);
    CHECK_THROWS_AS(model->forward(as(type)), c10::Error);
    CHECK_THROWS_WITH(model->forward(as(type)), Catch::ContainsSubstring("media::preprocess()"));
  }
  CHECK_THROWS_WITH(vit::InferenceModel(model).forward(as(at::kByte)),
                    Catch::ContainsSubstring("media::preprocess()"));
  CHECK_THROWS_AS(model->forward(at::Tensor()), c10::Error);
  for (const auto type : {at::kHalf, at::kBFloat16, at::kDouble})
    CHECK(test::same(model->forward(as(type)), model->forward(as(at::kFloat))));
}

TEST_CASE("configs that cannot be are refused") {
  const auto refuses = [](auto change, const std::string& message) {
    auto config = small_config();
    change(config.vit);
    CHECK_THROWS_WITH(vit::VisionTransformer(config), Catch::ContainsSubstring(message));
  };
  refuses([](auto& c) { c.block.attention.num_heads = 5; }, "num_heads 5 does not divide");
  refuses([](auto& c) { c.patch.set_size({0, 8}); }, "patch height");
  refuses([](auto& c) { c.patch.set_size({64, 8}); }, "patch height");
  refuses([](auto& c) { c.depth = 1000000; }, "depth");
  refuses([](auto& c) { c.prefix.cls_tokens = 0; }, "class token");
  refuses([](auto& c) { c.prefix.reg_tokens = 1000000000; }, "reg_tokens");
}
