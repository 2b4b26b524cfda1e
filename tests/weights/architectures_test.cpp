// tests/data/architectures.json: what timm 1.0.29 says of every architecture in the table.
#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <cstdio>
#include <map>

#include <ATen/ATen.h>

#include <vit/architectures.h>
#include <vit/vision_transformer.h>
#include <vit/weights/text.h>

using Catch::ContainsSubstring;

namespace {

/// FNV-1a of the lines "name[dim, dim]" in the order of the names.
std::string hash_of_names_and_shapes(const vit::VisionTransformer& model) {
  std::map<std::string, std::string> shapes;
  for (const auto& parameter : model->named_parameters())
    shapes[parameter.key()] = vit::shape_text(parameter.value().sizes());
  uint64_t hash = 0xcbf29ce484222325;
  for (const auto& [name, shape] : shapes)
    for (unsigned char byte : name + shape + "\n") hash = (hash ^ byte) * 0x100000001b3;
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

int64_t count_parameters(const vit::VisionTransformer& model) {
  int64_t count = 0;
  for (const auto& parameter : model->parameters()) count += parameter.numel();
  return count;
}

std::string activation_name(const vit::VitConfig& config) {
  if (config.block.mlp.kind == vit::MlpKind::swiglu_packed) return "silu";
  return config.block.mlp.activation == vit::Activation::gelu        ? "gelu"
         : config.block.mlp.activation == vit::Activation::gelu_tanh ? "gelu_tanh"
                                                                     : "quick_gelu";
}

std::string pool_name(vit::Pooling pooling) {
  return pooling == vit::Pooling::cls ? "token" : pooling == vit::Pooling::avg ? "avg" : "map";
}

}  // namespace

TEST_CASE("every architecture has timm's parameters and preprocessing") {
  const auto expected = test::read_json(test::data("architectures.json"));
  const auto names = vit::architecture_names();
  CHECK(names.size() == expected.size());
  for (const auto& name : names) {
    INFO(name);
    REQUIRE(expected.contains(name));
    const auto& timm = expected.at(name);
    const auto config = vit::architecture(name);
    // Parameters are not touched, so that gigabytes of them cost nothing.
    const vit::VisionTransformer model(config);
    CHECK(config.vit.architecture == name);
    CHECK(count_parameters(model) == timm.at("parameters"));
    CHECK(hash_of_names_and_shapes(model) == timm.at("names_and_shapes").get<std::string>());
    CHECK(config.vit.image_size().height == timm.at("image_size")[0]);
    CHECK(config.vit.image_size().width == timm.at("image_size")[1]);
    CHECK(config.vit.num_prefix_tokens() == timm.at("prefix_tokens"));
    CHECK(config.vit.block.attention.num_heads == timm.at("heads"));
    CHECK(config.vit.block.norm.eps == timm.at("eps"));
    CHECK(activation_name(config.vit) == timm.at("activation").get<std::string>());
    CHECK(pool_name(config.vit.head.pooling) == timm.at("pool").get<std::string>());

    const auto& preprocessing = config.vit.picture();
    CHECK(preprocessing.input_size == config.vit.image_size());
    CHECK(preprocessing.mean == timm.at("mean").get<std::vector<double>>());
    CHECK(preprocessing.std == timm.at("std").get<std::vector<double>>());
    CHECK(preprocessing.crop_pct == timm.at("crop_pct"));
    CHECK((preprocessing.crop_mode == vit::CropMode::squash ? "squash" : "center") ==
          timm.at("crop_mode").get<std::string>());
    CHECK((preprocessing.interpolation == vit::Interpolation::bilinear ? "bilinear" : "bicubic") ==
          timm.at("interpolation").get<std::string>());
  }
}

TEST_CASE("architecture names: tags, near misses and models of other kinds") {
  CHECK(vit::architecture("vit_base_patch16_224.augreg_in21k").vit.architecture ==
        "vit_base_patch16_224");
  CHECK_THROWS_WITH(vit::architecture("vit_bsae_patch16_224"),
                    ContainsSubstring("unknown architecture \"vit_bsae_patch16_224\"") &&
                        ContainsSubstring("vit_base_patch16_224"));
  CHECK_THROWS_WITH(vit::architecture("vit_relpos_base_patch16_224"),
                    ContainsSubstring("not supported: it has relative position biases"));
  CHECK_THROWS_WITH(vit::architecture("vit_small_patch16_dinov3"),
                    ContainsSubstring("not supported: it has rotary positions"));
  CHECK_THROWS_WITH(vit::architecture(""), ContainsSubstring("unknown architecture"));
  CHECK_THROWS_WITH(vit::architecture(std::string(1000000, 'x')),
                    ContainsSubstring("unknown architecture"));
}
