#include "tests/support/catch.h"

#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/vision_transformer.h>
#include <vit/weights/infer.h>

using Catch::ContainsSubstring;

namespace {

vit::StateDict weights_of(const vit::ModelConfig& config) {
  vit::StateDict weights;
  const vit::VisionTransformer model(config);
  for (const auto& parameter : model->named_parameters())
    weights[parameter.key()] = parameter.value().detach();
  return weights;
}

}  // namespace

TEST_CASE("the config is inferred from the shapes of every architecture") {
  for (const auto& row : vit::architecture_table()) {
    INFO(row.name);
    const auto& expected = row.config().vit;
    const auto& got = vit::infer_config(weights_of(row.config()), "x.safetensors").vit;
    CHECK(got.grid() == expected.grid());
    CHECK(got.patch.size() == expected.patch.size());
    CHECK(got.embed_dim() == expected.embed_dim());
    CHECK(got.depth == expected.depth);
    CHECK(got.block.mlp.hidden_dim == expected.block.mlp.hidden_dim);
    CHECK(got.block.mlp.kind == expected.block.mlp.kind);
    CHECK(got.head.num_classes == expected.head.num_classes);
    CHECK(got.num_tokens() == expected.num_tokens());
    CHECK(got.num_positions() == expected.num_positions());
    CHECK(got.head.pooling == expected.head.pooling);
    CHECK(got.head.norm_after == expected.head.norm_after);
    CHECK(got.head.norm_before == expected.head.norm_before);
    CHECK(got.block.norm.eps == expected.block.norm.eps);
    // A ViT-B with 16 heads and one with 12 have the same shapes, and so have the two SigLIP
    // models of which one has the tanh-GELU.
    if (expected.architecture != "vit_base_patch16_gap_224")
      CHECK(got.block.attention.num_heads == expected.block.attention.num_heads);
  }
}

TEST_CASE("inference of unusual models") {
  auto config = vit::find_architecture("vit_tiny_patch16_224").config();
  auto& c = config.vit;
  c.set_image_size({48, 48});
  c.block.dim = 36;
  c.block.attention.num_heads = 3;
  c.block.mlp.hidden_dim = 50;
  c.block.attention.qk_norm = true;
  c.input.channels = 1;
  config.vit.picture().mean = config.vit.picture().std = {0.5};
  auto weights = weights_of(config);
  const auto got = vit::infer_config(weights, "x");
  CHECK(got.vit.block.attention.num_heads == 3);  // from the norm of each head
  CHECK(got.vit.input.channels == 1);
  CHECK(got.vit.picture().mean.size() == 1);
  CHECK(got.vit.picture().input_size == vit::Size2d{48, 48});

  weights.erase("blocks.0.attn.q_norm.weight");
  CHECK_THROWS_WITH(vit::infer_config(weights, "x.bin"),
                    ContainsSubstring("x.bin: 36 channels are no multiple"));
  CHECK_THROWS_WITH(vit::infer_config({{"conv1.weight", at::ones({1})}}, "x.bin"),
                    ContainsSubstring("x.bin: no tensor \"patch_embed.proj.weight\""));
  c.set_image_size({48, 96});
  CHECK_THROWS_WITH(vit::infer_config(weights_of(config), "x"), ContainsSubstring("no square"));
}

TEST_CASE("heads that nothing tells of are assumed, and said to be") {
  auto config = vit::find_architecture("vit_tiny_patch16_224").config();
  CHECK(vit::infer_config(weights_of(config), "x").assumed.empty());  // a known model

  config.vit.set_image_size({32, 32});
  config.vit.block.dim = 128;
  config.vit.depth = 1;
  config.vit.block.mlp.hidden_dim = 50;
  config.vit.block.attention.num_heads = 4;
  const auto got = vit::infer_config(weights_of(config), "x");
  CHECK(got.vit.block.attention.num_heads == 2);
  REQUIRE(got.assumed.size() == 1);
  CHECK_THAT(got.assumed[0], ContainsSubstring("2 of 64 channels assumed; a config.json"));
}

TEST_CASE("inference survives dims that no tensor could have") {
  const auto empty = [](std::vector<int64_t> shape) { return at::empty(shape); };
  auto weights = weights_of(vit::find_architecture("vit_tiny_patch16_224").config());
  for (const auto& [name, shape] : std::vector<std::pair<std::string, std::vector<int64_t>>>{
           {"patch_embed.proj.weight", {0, 1LL << 60, 1, 1}},
           {"patch_embed.proj.weight", {1LL << 60, 0, 1, 1}},
           {"pos_embed", {0, 1LL << 60, 1}},
           {"head.weight", {1LL << 60, 0}},
           {"blocks.0.mlp.fc2.weight", {0, 1LL << 60}},
           {"blocks.999999999999.x", {1}}}) {
    auto changed = weights;
    changed[name] = empty(shape);
    INFO(name);
    CHECK_THROWS_WITH(vit::infer_config(changed, "x.bin"), ContainsSubstring("x.bin: "));
  }
}
