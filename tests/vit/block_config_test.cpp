#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <functional>

#include <ATen/ATen.h>

#include <vit/block.h>
#include <vit/kernels/kernel_block.h>
#include <vit/patch_embed.h>
#include <vit/vision_transformer.h>

// The parts of a block at each value of their config, against the formulae written out.

namespace {

constexpr int64_t kDim = 16;

vit::BlockConfig block_config() {
  vit::BlockConfig config;
  config.dim = kDim;
  config.attention.num_heads = 2;
  config.mlp.hidden_dim = 24;
  return config;
}

vit::Block random_block(const vit::BlockConfig& config) {
  const at::NoGradGuard no_grad;
  vit::Block block(config);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  for (auto& parameter : block->parameters()) {
    parameter.requires_grad_(false);
    parameter.normal_(0, 0.4, generator);
  }
  return block;
}

at::Tensor tokens() { return at::randn({2, 5, kDim}, at::make_generator<at::CPUGeneratorImpl>(4)); }

at::Tensor run(const vit::Block& block, const at::Tensor& x) {
  vit::TokenState state;
  state.tokens = x.clone();
  state.depth = 1;
  block->forward(state, nullptr);
  return state.tokens;
}

at::Tensor rms(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return x / (x.square().mean(-1, /*keepdim=*/true) + eps).sqrt() * weight;
}

}  // namespace

TEST_CASE(
    "lower() looks at every field of a block: what the kernels do not compute is no block of "
    "theirs") {
  using Change = std::function<void(vit::BlockConfig&)>;
  const auto lowered = [](const Change& change) {
    auto config = block_config();
    change(config);
    return vit::kernels::lower(config);
  };
  const auto plain = vit::kernels::lower(block_config());
  REQUIRE(plain);
  CHECK(plain->dim == kDim);
  CHECK(plain->num_heads == 2);
  CHECK(plain->hidden_dim == 24);
  CHECK(plain->norm_eps == 1e-6f);
  CHECK_FALSE(plain->gated());

  // Each field, at each value that the kernels know...
  using vit::Activation;
  using vit::kernels::HiddenKind;
  CHECK(lowered([](auto& c) { c.mlp.activation = Activation::gelu_tanh; })->hidden ==
        HiddenKind::gelu_tanh);
  CHECK(lowered([](auto& c) { c.mlp.activation = Activation::quick_gelu; })->hidden ==
        HiddenKind::quick_gelu);
  CHECK(lowered([](auto& c) { c.mlp.kind = vit::MlpKind::swiglu_packed; })->gated());
  CHECK(lowered([](auto& c) { c.attention.qk_norm = true; })->qk_norm);
  CHECK(lowered([](auto& c) { c.norm.eps = 1e-5; })->norm_eps == 1e-5f);
  CHECK(lowered([](auto& c) { c.layer_scale = true; }));
  CHECK(lowered([](auto& c) { c.attention.set_qkv_bias(false); }));
  CHECK(lowered([](auto& c) { c.attention.k_bias = false; }));
  CHECK(lowered([](auto& c) { c.norm.kind = vit::NormKind::rms_norm; })->norm_kind ==
        vit::NormKind::rms_norm);
  CHECK(lowered([](auto& c) { c.mlp.activation = Activation::silu; })->hidden == HiddenKind::silu);
  CHECK(lowered([](auto& c) { c.mlp.norm = true; })->mlp_norm);
  CHECK(lowered([](auto& c) { c.attention.norm = true; })->attn_norm);
  CHECK(lowered([](auto& c) { c.attention.num_kv_heads = 1; })->num_kv_heads == 1);
  CHECK(lowered([](auto& c) { c.attention.rotary.emplace().base = 7; })->rotary->base == 7);
  CHECK(lowered([](auto& c) { c.attention.relative_bias.emplace(); })->relative_bias);
  // ... and at those that they do not.
  CHECK_FALSE(lowered([](auto& c) { c.norm_place = vit::NormPlace::post; }));
  CHECK_FALSE(lowered([](auto& c) { c.norm_place = vit::NormPlace::res_post; }));
  CHECK_FALSE(lowered([](auto& c) {
    c.dim = 12;
    c.attention.rotary.emplace();
  }));
  CHECK_FALSE(lowered(
      [](auto& c) { c.attention.rotary.emplace().layout = vit::RotaryLayout::interleaved_tiled; }));
  CHECK_FALSE(lowered([](auto& c) {
    c.attention.rotary.emplace().frequencies = vit::RotaryFrequencies::learned;
    c.attention.num_kv_heads = 1;
  }));
  CHECK_FALSE(lowered([](auto& c) { c.dim = 2 * (vit::kernels::kMaxHeadDim + 1); }));
}

TEST_CASE("norms stand where the config says") {
  const auto place = GENERATE(vit::NormPlace::pre, vit::NormPlace::post, vit::NormPlace::res_post);
  const auto kind = GENERATE(vit::NormKind::layer_norm, vit::NormKind::rms_norm);
  const bool scaled = GENERATE(true, false);
  auto config = block_config();
  config.norm_place = place;
  config.norm = {kind, 1e-3};
  config.layer_scale = scaled;
  const auto block = random_block(config);
  const auto p = block->named_parameters();
  CHECK(p.contains("norm1.bias") == (kind == vit::NormKind::layer_norm));

  const auto norm = [&](const std::string& name, const at::Tensor& x) {
    const auto& weight = p[name + ".weight"];
    return kind == vit::NormKind::layer_norm
               ? at::layer_norm(x, {kDim}, weight, p[name + ".bias"], 1e-3)
               : rms(x, weight, 1e-3);
  };
  const auto scale = [&](const std::string& name, const at::Tensor& x) {
    return scaled ? x * p[name + ".gamma"] : x;
  };
  const auto with = [&](const at::Tensor& x, const std::string& norm_name,
                        const std::string& scale_name, const auto& branch) {
    switch (place) {
      case vit::NormPlace::pre:
        return x + scale(scale_name, branch(norm(norm_name, x)));
      case vit::NormPlace::post:
        return norm(norm_name, x + scale(scale_name, branch(x)));
      default:
        return x + scale(scale_name, norm(norm_name, branch(x)));
    }
  };
  const auto attention = [&](const at::Tensor& x) {
    const auto qkv = at::linear(x, p["attn.qkv.weight"], p["attn.qkv.bias"])
                         .view({2, 5, 3, 2, kDim / 2})
                         .permute({2, 0, 3, 1, 4});
    const auto scores = at::matmul(qkv[0], qkv[1].mT()) / std::sqrt(kDim / 2.0);
    const auto mixed = at::matmul(scores.softmax(-1), qkv[2]).transpose(1, 2).flatten(2);
    return at::linear(mixed, p["attn.proj.weight"], p["attn.proj.bias"]);
  };
  const auto mlp = [&](const at::Tensor& x) {
    return at::linear(at::gelu(at::linear(x, p["mlp.fc1.weight"], p["mlp.fc1.bias"])),
                      p["mlp.fc2.weight"], p["mlp.fc2.bias"]);
  };
  const auto expected = with(with(tokens(), "norm1", "ls1", attention), "norm2", "ls2", mlp);
  CHECK(test::max_difference(run(block, tokens()), expected) < 1e-5);
}

TEST_CASE("a norm before the MLP's second layer") {
  const auto kind = GENERATE(vit::MlpKind::plain, vit::MlpKind::swiglu_packed);
  const vit::MlpConfig config{.hidden_dim = 24, .kind = kind, .norm = true};
  const at::NoGradGuard no_grad;
  vit::Mlp mlp(kDim, config, vit::NormConfig{});
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  for (auto& parameter : mlp->parameters()) parameter.normal_(0, 0.4, generator);
  const auto p = mlp->named_parameters();
  auto hidden = at::linear(tokens(), p["fc1.weight"], p["fc1.bias"]);
  hidden = kind == vit::MlpKind::plain ? at::gelu(hidden)
                                       : at::silu(hidden.slice(-1, 0, 24)) * hidden.slice(-1, 24);
  hidden = at::layer_norm(hidden, {24}, p["norm.weight"], p["norm.bias"], 1e-6);
  CHECK(test::max_difference(mlp->forward(tokens()),
                             at::linear(hidden, p["fc2.weight"], p["fc2.bias"])) < 1e-5);
}

TEST_CASE("patches are a convolution, whether they overlap or not") {
  const at::NoGradGuard no_grad;
  vit::PatchConfig config;
  config.kernel = GENERATE(vit::Extent{1, 4, 4}, vit::Extent{1, 6, 4});
  config.stride = GENERATE(vit::Extent{1, 4, 4}, vit::Extent{1, 3, 2});
  config.bias = GENERATE(true, false);
  vit::PatchEmbed embed(3, config, kDim);
  for (auto& parameter : embed->parameters()) parameter.normal_();
  const auto p = embed->named_parameters();
  const auto input = at::randn({2, 3, 15, 18});
  const auto expected =
      at::conv2d(input, p["proj.weight"], config.bias ? p["proj.bias"] : at::Tensor(),
                 {config.stride.rows, config.stride.cols})
          .flatten(2)
          .mT();
  const auto got = embed->forward(input);
  CHECK(got.size(1) == config.grid({1, 15, 18}).count());
  CHECK(test::max_difference(got, expected) < 1e-4);
}

TEST_CASE("patches of several frames are a convolution over three axes") {
  const at::NoGradGuard no_grad;
  const vit::PatchConfig config{.kernel = {2, 4, 4}, .stride = {2, 4, 4}};
  vit::PatchEmbed embed(3, config, kDim);
  for (auto& parameter : embed->parameters()) parameter.normal_();
  const auto p = embed->named_parameters();
  const auto input = at::randn({2, 3, 6, 12, 8});
  const auto expected =
      at::conv3d(input, p["proj.weight"], p["proj.bias"], {2, 4, 4}).flatten(2).mT();
  CHECK(config.grid({6, 12, 8}) == vit::Extent{3, 3, 2});
  CHECK(test::max_difference(embed->forward(input), expected) < 1e-4);
}

TEST_CASE("models of clips and of spectrograms take their inputs") {
  const at::NoGradGuard no_grad;
  auto config = test::tiny_config({32, 32});
  auto& c = config.vit;
  SECTION("clips") {
    c.input.extent.frames = 4;
    c.patch.kernel.frames = c.patch.stride.frames = 2;
    c.positions.kind = vit::PositionKind::sincos_3d;
    c.prefix.cls_tokens = 0;
    c.head.pooling = vit::Pooling::avg;
    c.input.preprocessing = vit::ClipPreprocessing{.frames = 4};
    vit::VisionTransformer model(config);
    model->init_weights(1);
    CHECK(model->config().num_tokens() == 2 * 16);
    CHECK(model->forward(at::randn({2, 3, 4, 32, 32})).sizes() == at::IntArrayRef({2, 3}));
    CHECK_THROWS_WITH(model->forward(at::randn({2, 3, 32, 32})),
                      Catch::ContainsSubstring("expected frames of [B, C, T, H, W]"));
    CHECK_THROWS_WITH(model->picture_preprocessing(),
                      Catch::ContainsSubstring("takes video clips, not pictures"));
  }
  SECTION("spectrograms with overlapping patches, norms on both sides of the pooling") {
    c.input = {.channels = 1,
               .extent = {1, 32, 50},
               .preprocessing = vit::SpectrogramPreprocessing{.mel_bins = 32, .frames = 50}};
    c.patch.stride = {1, 6, 6};
    c.prefix.dist_token = true;
    c.head.pooling = vit::Pooling::cls_dist;
    c.head.norm_after = true;
    vit::VisionTransformer model(config);
    model->init_weights(1);
    CHECK(model->config().grid() == vit::Extent{1, 5, 8});
    const auto result = model->forward_all(at::randn({2, 1, 32, 50}));
    CHECK(result.features.sizes() == at::IntArrayRef({2, 42, 16}));
    const auto p = model->named_parameters();
    const auto pooled =
        at::layer_norm((result.features.select(1, 0) + result.features.select(1, 1)) / 2, {16},
                       p["fc_norm.weight"], p["fc_norm.bias"], 1e-6);
    CHECK(test::max_difference(result.pooled, pooled) < 1e-6);
  }
}
