#include "tests/support/catch.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/vision_transformer.h>
#include <vit/weights/infer.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/timm_names.h>
#include <vit/weights/layouts/timm_state_dict.h>

using Catch::ContainsSubstring;

namespace {

vit::StateDict weights_of(const vit::ModelConfig& config) {
  vit::StateDict weights;
  const vit::VisionTransformer model(config);
  for (const auto& parameter : model->named_parameters())
    weights[parameter.key()] = parameter.value().detach();
  return weights;
}

/// The weights of a model, without their numbers.
vit::StateDict shapes_of(const vit::ModelConfig& config) {
  vit::StateDict weights;
  const auto& c = config.vit;
  std::map<int64_t, std::vector<std::pair<std::string, at::Tensor>>>
      blocks;  // by heads of the keys
  for (int64_t i = 0; i < c.depth; ++i) {
    const int64_t kv_heads = c.block_at(i).attention.num_kv_heads;
    if (!blocks.contains(kv_heads)) {
      vit::ModelConfig one = config;
      one.vit.depth = 1;
      one.vit.kv_heads.clear();
      one.vit.block.attention.num_kv_heads = kv_heads;
      const vit::VisionTransformer model(one);
      for (const auto& parameter : model->named_parameters()) {
        const auto tensor = at::empty(parameter.value().sizes(), at::kMeta);
        const std::string first = "blocks.0.";
        if (parameter.key().starts_with(first))
          blocks[kv_heads].emplace_back(parameter.key().substr(first.size()), tensor);
        else
          weights[parameter.key()] = tensor;
      }
    }
    for (const auto& [name, tensor] : blocks.at(kv_heads))
      weights["blocks." + std::to_string(i) + "." + name] = tensor;
  }
  return weights;
}

/// What a model computes, but for the size of the pictures and the classes.
vit::VitConfig function_of(vit::VitConfig c) {
  const vit::VitConfig defaults;
  c.architecture = defaults.architecture;
  c.family = defaults.family;
  c.input = defaults.input;
  c.positions.table = {};
  if (auto& relative = c.block.attention.relative_bias) relative->grid = {};
  c.head.num_classes = 0;
  c.head.token_heads = 1;
  return c;
}

}  // namespace

TEST_CASE("no architecture's weights are silently taken for those of another") {
  std::vector<std::string> unsaid;
  size_t sure = 0;
  for (const auto& row : vit::architecture_table()) {
    INFO(row.name);
    const auto expected = row.config().vit;
    const auto own = shapes_of(row.config());
    const auto stored = vit::timm_state_dict(own, expected, row.arguments);
    auto weights = vit::timm_names(stored, "x");
    const auto traits = vit::TimmTraits::of_names(stored, false);
    CHECK(traits.may_be(vit::TimmTraits::of(row.arguments)));
    const auto config = vit::infer_config(weights, "x", std::nullopt, traits);
    const auto& got = config.vit;
    // Written and read, the tensors are the model's.
    vit::shape_patch_embedding(weights, got.input.channels, got.patch.size(), "x");
    CHECK(weights.size() == own.size());
    for (const auto& [name, tensor] : own) {
      INFO(name);
      CHECK(weights.at(name).sizes() == tensor.sizes());
    }
    CHECK(got.head.num_classes == expected.head.num_classes);
    if (expected.positions.kind == vit::PositionKind::learned)
      CHECK(got.num_positions() == expected.num_positions());
    if (!(function_of(got) == function_of(expected)) && config.assumed.empty())
      unsaid.emplace_back(row.name);
    sure += config.assumed.empty();
  }
  CHECK(unsaid == std::vector<std::string>{});
  CHECK(sure > vit::architecture_table().size() / 2);
}

TEST_CASE("what only the architecture's name can tell is said") {
  const auto assumed = [](const char* name) {
    const auto& row = vit::find_architecture(name);
    const auto stored =
        vit::timm_state_dict(shapes_of(row.config()), row.config().vit, row.arguments);
    const auto config = vit::infer_config(vit::timm_names(stored, "x"), "x", std::nullopt,
                                          vit::TimmTraits::of_names(stored, false));
    return config.assumed.empty() ? std::string() : config.assumed.front();
  };
  CHECK_THAT(assumed("vit_base_patch16_gap_224"),
             ContainsSubstring("vit_base_patch16_gap_224: 16 heads instead of 12"));
  CHECK_THAT(assumed("vit_base_patch16_clip_quickgelu_224"), ContainsSubstring("activation"));
  CHECK_THAT(assumed("vit_small_patch16_lingbot"), ContainsSubstring("another pooling"));
  CHECK(assumed("vit_base_patch16_224").empty());
  CHECK(assumed("vit_pe_core_base_patch16_224").empty());
}

TEST_CASE("rotary positions that no tensor tells of are asked for") {
  // The authors of DeiT III name their tensors as timm's Eva does, of which RoPE-ViT is one.
  const auto infer = [](const char* name, const auto& change) {
    const auto& row = vit::find_architecture(name);
    auto config = row.config();
    change(config.vit);
    const auto stored = vit::timm_state_dict(shapes_of(config), config.vit, row.arguments);
    const bool of_authors = vit::detect_layout(stored).name == vit::kAuthorsLayout.name;
    return vit::infer_config(vit::timm_names(stored, "x"), "x", std::nullopt,
                             vit::TimmTraits::of_names(stored, of_authors));
  };
  const auto as_it_is = [](vit::VitConfig&) {};
  CHECK_THROWS_WITH(infer("vit_small_patch16_rope_ape_224", as_it_is),
                    ContainsSubstring("deit3_small_patch16_224") &&
                        ContainsSubstring("vit_small_patch16_rope_ape_224") &&
                        ContainsSubstring("say what it is by"));
  const auto narrow = [](vit::VitConfig& c) {
    c.block.dim = 128;
    c.block.attention.num_heads = 4;
  };
  for (const char* name :
       {"vit_small_patch16_dinov3", "eva02_small_patch14_224", "vit_pe_core_small_patch16_384",
        "vit_small_patch16_rope_ape_224", "vit_base_patch16_rpn_224", "vit_base_patch16_sapiens2",
        "vit_medium_patch16_rope_reg1_gap_256"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(infer(name, narrow), ContainsSubstring("nothing in them tells"));
  }
  // Their tensors tell.
  for (const char* name : {"beit_base_patch16_224", "vit_small_patch16_rope_mixed_ape_224",
                           "aimv2_large_patch14_224", "vit_relpos_small_patch16_224"}) {
    CAPTURE(name);
    CHECK_NOTHROW(infer(name, narrow));
  }
  CHECK(infer("vit_small_patch16_rope_mixed_ape_224", narrow).vit.block.attention.rotary);
  CHECK(infer("beit_base_patch16_224", narrow).vit.block.attention.num_heads == 4);
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
