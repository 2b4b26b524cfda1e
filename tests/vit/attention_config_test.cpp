// Attention with fewer heads of keys, biases that are partly there, and biases by displacement,
// against the same written out.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/attention.h>
#include <vit/relative_bias.h>
#include <vit/vision_transformer.h>

namespace {

constexpr int64_t kDim = 16, kHeads = 4, kHeadDim = kDim / kHeads;

vit::Attention random_attention(const vit::AttentionConfig& config) {
  const at::NoGradGuard no_grad;
  vit::Attention attention(kDim, config, vit::NormConfig{});
  auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
  for (auto& parameter : attention->parameters()) parameter.normal_(0, 0.5, generator);
  return attention;
}

at::Tensor tokens() { return at::randn({2, 7, kDim}, at::make_generator<at::CPUGeneratorImpl>(6)); }

vit::ModelConfig model_config() {
  auto config = test::tiny_config({32, 48});
  config.vit.depth = 3;
  return config;
}

vit::VisionTransformer random_model(const vit::ModelConfig& config) {
  const at::NoGradGuard no_grad;
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  for (auto& parameter : model->parameters()) parameter.mul_(4).requires_grad_(false);
  return model;
}

at::Tensor pixels() {
  return at::randn({2, 3, 32, 48}, at::make_generator<at::CPUGeneratorImpl>(7));
}

}  // namespace

TEST_CASE("heads of queries share the keys of their group") {
  const at::NoGradGuard no_grad;
  const auto shared = random_attention({.num_heads = kHeads, .num_kv_heads = 2, .qk_norm = true});
  auto all = random_attention({.num_heads = kHeads, .qk_norm = true});
  auto from = shared->named_parameters(), to = all->named_parameters();
  REQUIRE(from["qkv.weight"].size(0) == (kHeads + 2 * 2) * kHeadDim);
  for (auto& parameter : to)
    if (parameter.key().find("qkv") == std::string::npos)
      parameter.value().copy_(from[parameter.key()]);
  for (const char* name : {"qkv.weight", "qkv.bias"}) {
    const auto rows = from[name].unflatten(0, {-1, kHeadDim});
    const auto repeated = [&](int64_t first) {
      return rows.slice(0, first, first + 2).repeat_interleave(2, 0);
    };
    to[name].copy_(
        at::cat({rows.slice(0, 0, kHeads), repeated(kHeads), repeated(kHeads + 2)}).flatten(0, 1));
  }
  const vit::ReducerNeeds needs{.key_metric = true, .class_attention = true};
  const auto got = shared->forward(tokens(), {}, needs),
             expected = all->forward(tokens(), {}, needs);
  CHECK(test::max_difference(got.tokens, expected.tokens) < 1e-5);
  CHECK(test::max_difference(got.metric, expected.metric) < 1e-5);
  CHECK(test::max_difference(got.class_attention, expected.class_attention) < 1e-5);
}

TEST_CASE("a bias that keys do not have is not learned") {
  vit::AttentionConfig config{.num_heads = kHeads, .k_bias = false, .qk_norm = true};
  const auto attention = random_attention(config);
  attention->forward(tokens(), {}, {}).tokens.square().sum().backward();
  const auto gradient = attention->named_parameters()["qkv.bias"].grad();
  CHECK(gradient.slice(0, 0, kDim).abs().min().item<double>() > 0);
  CHECK(gradient.slice(0, kDim, 2 * kDim).abs().max().item<double>() == 0);
  CHECK(gradient.slice(0, 2 * kDim).abs().min().item<double>() > 0);
}

TEST_CASE("a table of relative biases has an entry for each displacement") {
  const at::NoGradGuard no_grad;
  const int64_t prefix = GENERATE(0, 1);
  const vit::RelativeBiasConfig config{.grid = {3, 2}, .prefix_tokens = prefix};
  torch::nn::Module owner;
  const auto bias = vit::RelativeBias::in(owner, config, 2);
  REQUIRE(bias.table.sizes() == at::IntArrayRef({5 * 3 + 3 * prefix, 2}));
  bias.table.copy_(at::arange(bias.table.numel()).view_as(bias.table));
  const auto got = bias.of_patches(config);
  REQUIRE(got.sizes() == at::IntArrayRef({2, prefix + 6, prefix + 6}));
  for (int64_t q = 0; q < prefix + 6; ++q)
    for (int64_t k = 0; k < prefix + 6; ++k) {
      const int64_t a = q - prefix, b = k - prefix;
      const int64_t entry = a < 0 && b < 0 ? 17
                            : a < 0        ? 15
                            : b < 0        ? 16
                                           : (a / 2 - b / 2 + 2) * 3 + (a % 2 - b % 2 + 1);
      CHECK(got[1][q][k].item<double>() == bias.table[entry][1].item<double>());
    }
}

TEST_CASE("an MLP gives biases by the logarithms of a displacement, prefix tokens none") {
  const at::NoGradGuard no_grad;
  const vit::RelativeBiasConfig config{
      .kind = vit::RelativeBiasKind::log_mlp, .grid = {2, 3}, .prefix_tokens = 2, .hidden_dim = 5};
  torch::nn::Module owner;
  const auto bias = vit::RelativeBias::in(owner, config, 2);
  for (auto& parameter : owner.parameters()) parameter.normal_();
  const auto got = bias.of_patches(config);
  REQUIRE(got.sizes() == at::IntArrayRef({2, 8, 8}));
  CHECK(got.slice(1, 0, 2).abs().max().item<double>() == 0);
  CHECK(got.slice(2, 0, 2).abs().max().item<double>() == 0);
  const auto logs = [](double x) { return x < 0 ? -std::log1p(-x) : std::log1p(x); };
  for (int64_t q = 0; q < 6; ++q)
    for (int64_t k = 0; k < 6; ++k) {
      const auto input = at::tensor(
          {logs(static_cast<double>(q / 3 - k / 3)), logs(static_cast<double>(q % 3 - k % 3))},
          at::kFloat);
      const auto expected = bias.fc2->forward(bias.fc1->forward(input).relu());
      CHECK(test::max_difference(got.slice(1, q + 2, q + 3).slice(2, k + 2, k + 3).flatten(),
                                 expected) < 1e-5);
    }
}

TEST_CASE("the bias between merged tokens is the mean over all pairs of their patches") {
  const at::NoGradGuard no_grad;
  const auto of_patches = at::randn({2, 5, 5}, at::make_generator<at::CPUGeneratorImpl>(8));
  vit::TokenState state;
  CHECK(test::same(vit::relative_bias_of_tokens(of_patches, state), of_patches.unsqueeze(0)));
  const std::vector<std::vector<int64_t>> groups{{0}, {1, 3, 4}, {2}};
  state.size = at::tensor({1.0f, 3.0f, 1.0f, 0.0f}).unsqueeze(0);  // the last one is padding
  state.source = at::zeros({1, 4, 5});
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (const int64_t member : groups[i]) state.source[0][static_cast<int64_t>(i)][member] = 1;
  const auto got = vit::relative_bias_of_tokens(of_patches, state);
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (std::size_t j = 0; j < groups.size(); ++j) {
      double sum = 0;
      for (const int64_t p : groups[i])
        for (const int64_t q : groups[j]) sum += of_patches[1][p][q].item<double>();
      const auto pairs = static_cast<double>(groups[i].size() * groups[j].size());
      CHECK(std::abs(got[0][1][static_cast<int64_t>(i)][static_cast<int64_t>(j)].item<double>() -
                     sum / pairs) < 1e-5);
    }
}

TEST_CASE("all blocks may share one relative bias") {
  const at::NoGradGuard no_grad;
  auto config = model_config();
  auto& relative = config.vit.block.attention.relative_bias.emplace();
  relative.shared = true;
  config.vit.fit_relative_bias();
  const auto shared = random_model(config);
  REQUIRE(shared->named_parameters().contains("rel_pos_bias.relative_position_bias_table"));
  relative.shared = false;
  const auto own = random_model(config);
  auto to = own->named_parameters();
  const auto from = shared->named_parameters();
  for (auto& parameter : to) {
    const std::string& name = parameter.key();
    const bool table = name.ends_with("relative_position_bias_table");
    parameter.value().copy_(from[table ? "rel_pos_bias.relative_position_bias_table" : name]);
  }
  for (const int64_t r : {0, 4}) {
    auto a = shared, b = own;
    tome::apply(a, {.r = r});
    tome::apply(b, {.r = r});
    CHECK(test::max_difference(a->forward(pixels()), b->forward(pixels())) < 1e-5);
  }
}

TEST_CASE("rules for merged rotary positions differ where tokens were merged, and only there") {
  const at::NoGradGuard no_grad;
  auto config = model_config();
  auto& rotary = config.vit.block.attention.rotary.emplace();
  rotary.base = 100;
  rotary.frequencies = GENERATE(vit::RotaryFrequencies::axial, vit::RotaryFrequencies::learned);
  auto model = random_model(config);
  const auto run = [&](int64_t r, tome::RotaryRule rule) {
    tome::apply(model, {.r = r, .rotary = rule});
    return model->forward_all(pixels(), {.track_source = true, .track_positions = true});
  };
  const auto mean = run(4, tome::RotaryRule::mean), keep = run(4, tome::RotaryRule::keep),
             angles = run(4, tome::RotaryRule::mean_of_angles),
             rotated = run(4, tome::RotaryRule::rotated_metric);
  CHECK(test::max_difference(mean.logits, keep.logits) > 1e-4);
  CHECK(test::max_difference(mean.logits, angles.logits) > 1e-4);
  CHECK(test::max_difference(mean.logits, rotated.logits) > 1e-4);
  // A token that keeps its place is on one of its own patches.
  const auto start = run(0, tome::RotaryRule::mean).positions;
  const auto distance =
      (keep.positions.unsqueeze(2) - start.unsqueeze(1)).abs().sum(-1);  // [B, N, N0]
  CHECK(distance.masked_fill(keep.source == 0, 1e9).amin(-1).max().item<double>() == 0);
  CHECK((mean.positions - mean.positions.round()).abs().max().item<double>() > 0.1);

  const auto unmerged = run(0, tome::RotaryRule::mean).logits;
  for (const auto rule :
       {tome::RotaryRule::keep, tome::RotaryRule::mean_of_angles, tome::RotaryRule::rotated_metric})
    CHECK(test::same(run(0, rule).logits, unmerged));
}

TEST_CASE("configs that contradict themselves are refused by name") {
  const auto refuses = [](const std::function<void(vit::VitConfig&)>& change, const char* what) {
    auto config = model_config();
    config.vit.block.attention.rotary.emplace();
    change(config.vit);
    CHECK_THROWS_WITH(config.vit.validate(), Catch::ContainsSubstring(what));
  };
  refuses([](auto& c) { c.block.attention.rotary->base = 0; }, "base of rotary positions");
  refuses([](auto& c) { c.block.attention.rotary->base = -100; }, "base of rotary positions");
  refuses([](auto& c) { c.block.attention.rotary->base = std::nan(""); }, "base of rotary");
  refuses([](auto& c) { c.block.attention.rotary->reference_rows = 16; },
          "columns of the rotary reference grid");
  refuses([](auto& c) { c.block.attention.rotary->reference_cols = -4; },
          "rows of the rotary reference grid");
  refuses([](auto& c) { c.block.attention.rotary->axes = 4; }, "4 axes");
  refuses([](auto& c) { c.block.attention.rotary->axes = 3; }, "interleaved tiled");
  refuses([](auto& c) { c.block.dim = 12; }, "multiple of 4 channels");
  refuses([](auto& c) { c.block.attention.num_kv_heads = 3; }, "num_kv_heads");
  refuses([](auto& c) { c.kv_heads = {2, 1}; }, "num_kv_heads of 2 blocks, but depth is 3");
  refuses([](auto& c) { c.kv_heads = {2, 1, 5}; }, "num_kv_heads");
  refuses([](auto& c) { c.block.attention.relative_bias.emplace(); }, "relative position bias");
  refuses(
      [](auto& c) {
        c.prefix.reg_tokens = 2;
        c.block.attention.relative_bias.emplace();
        c.fit_relative_bias();
      },
      "3 prefix tokens");
  refuses(
      [](auto& c) {
        c.head.pooling = vit::Pooling::map;
        c.head.attention_pool.num_heads = 3;
      },
      "3 heads of the attention pool");
  refuses(
      [](auto& c) {
        c.block.attention.rotary->class_angles = true;
        c.prefix.cls_tokens = 0;
        c.head.pooling = vit::Pooling::avg;
      },
      "class token");
}

TEST_CASE("a model with relative biases takes another image size") {
  const at::NoGradGuard no_grad;
  auto config = model_config();
  auto& relative = config.vit.block.attention.relative_bias.emplace();
  relative.shared = GENERATE(true, false);
  relative.kind = GENERATE(vit::RelativeBiasKind::table, vit::RelativeBiasKind::log_mlp);
  config.vit.fit_relative_bias();
  auto model = random_model(config);
  model->set_image_size({48, 32});
  CHECK(model->config().block.attention.relative_bias->grid == vit::Size2d{6, 4});
  CHECK(model->forward(at::zeros({1, 3, 48, 32})).isfinite().all().item<bool>());
  for (const auto& parameter : model->named_parameters())
    if (parameter.key().ends_with("relative_position_bias_table"))
      CHECK(parameter.value().size(0) == 11 * 7 + 3);
}
