// tests/data/architectures.json: what timm 1.0.31 says of every architecture in the table, as
// scripts/check_architectures --write writes it.
#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <vector>

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
  switch (config.block.mlp.activation) {
    case vit::Activation::gelu:
      return "gelu";
    case vit::Activation::gelu_tanh:
      return "gelu_tanh";
    case vit::Activation::quick_gelu:
      return "quick_gelu";
    case vit::Activation::silu:
      break;
  }
  return "silu";
}

std::string pool_name(vit::Pooling pooling) {
  return pooling == vit::Pooling::cls    ? "cls"
         : pooling == vit::Pooling::avg  ? "avg"
         : pooling == vit::Pooling::none ? "none"
                                         : "map";
}

/// Heads of keys in every block; empty where they are as many as those of queries.
std::vector<int64_t> kv_heads(const vit::VitConfig& config) {
  std::vector<int64_t> heads;
  for (int64_t i = 0; i < config.depth; ++i)
    heads.push_back(config.block_at(i).attention.kv_heads());
  const bool all = std::ranges::all_of(
      heads, [&](int64_t count) { return count == config.block.attention.num_heads; });
  return all ? std::vector<int64_t>() : heads;
}

void check_rotary(const std::optional<vit::RotaryConfig>& ours, const nlohmann::json& timm) {
  REQUIRE(ours.has_value() == !timm.is_null());
  if (!ours) return;
  CHECK((ours->layout == vit::RotaryLayout::half) == (timm.at("layout") == "half"));
  CHECK((ours->coordinates == vit::RotaryCoordinates::centered) ==
        (timm.at("coordinates") == "centered"));
  const bool learned = ours->frequencies == vit::RotaryFrequencies::learned;
  CHECK(learned == (timm.at("frequencies") == "learned"));
  CHECK(ours->offset == timm.at("offset").get<double>());
  CHECK(ours->reference_rows == timm.at("reference_grid")[0].get<int64_t>());
  CHECK(ours->reference_cols == timm.at("reference_grid")[1].get<int64_t>());
  if (learned) return;  // whose base and order are in what was learned
  CHECK(ours->base == timm.at("base").get<double>());
  CHECK(ours->columns_first == timm.at("columns_first").get<bool>());
}

std::string resampling_name(vit::Resampling resampling) {
  switch (resampling) {
    case vit::Resampling::bicubic_antialias:
      return "bicubic_antialias";
    case vit::Resampling::bilinear_antialias:
      return "bilinear_antialias";
    case vit::Resampling::bilinear_window:
      return "bilinear_window";
    case vit::Resampling::bilinear_corners_window:
      return "bilinear_window_corners";
    case vit::Resampling::bicubic_antialias_window:
      return "bicubic_antialias_window";
    default:
      return "another";
  }
}

/// An attention pool, and a table that is fitted to every picture.
void check_pool_and_table(const vit::VitConfig& c, const nlohmann::json& timm) {
  if (c.head.pooling == vit::Pooling::map) {
    const int64_t own = c.head.attention_pool.num_heads;
    CHECK((own ? own : c.block.attention.num_heads) == timm.at("pool_heads"));
    CHECK(c.head.pool_prefix == timm.at("pool_prefix"));
  }
  const bool fits_table = c.positions.table != vit::Size2d();
  REQUIRE(fits_table == timm.contains("resampling"));
  if (fits_table) CHECK(resampling_name(c.positions.resampling) == timm.at("resampling"));
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
    CHECK((config.vit.block.norm.kind == vit::NormKind::rms_norm) ==
          (timm.at("norm") == "rms_norm"));
    CHECK((config.vit.block.norm_place == vit::NormPlace::res_post) ==
          (timm.at("norm_place") == "res_post"));
    CHECK(config.vit.patch.size().height == timm.at("patch_size")[0]);
    CHECK(config.vit.depth == timm.at("depth"));
    CHECK(config.vit.block.mlp.hidden_dim == timm.at("mlp_hidden_dim"));
    CHECK(config.vit.head.num_classes == timm.at("num_classes"));
    CHECK(kv_heads(config.vit) == timm.at("kv_heads").get<std::vector<int64_t>>());
    check_rotary(config.vit.block.attention.rotary, timm.at("rotary"));
    CHECK(activation_name(config.vit) == timm.at("activation").get<std::string>());
    CHECK(pool_name(config.vit.head.pooling) == timm.at("pool").get<std::string>());
    check_pool_and_table(config.vit, timm);

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

TEST_CASE("a tag of an architecture brings the preprocessing and classes of its weights") {
  const auto tagged = vit::architecture("vit_base_patch16_224.augreg_in21k");
  CHECK(tagged.vit.architecture == "vit_base_patch16_224");
  CHECK(tagged.vit.head.num_classes == 21843);
  CHECK(tagged.vit.family == "augreg");
  const auto dino = vit::architecture("vit_small_patch16_224.dino").vit;
  CHECK(dino.head.num_classes == 0);
  CHECK(dino.picture().mean == std::vector<double>{0.485, 0.456, 0.406});
  const auto squashed = vit::architecture("vit_medium_patch16_gap_384.sw_in12k_ft_in1k").vit;
  CHECK(squashed.picture().crop_mode == vit::CropMode::squash);
  CHECK(vit::architecture("vit_large_patch14_clip_336.openai").vit.picture().crop_mode ==
        vit::CropMode::center);
  // A name that timm had before there were tags.
  const auto old = vit::architecture("vit_base_patch16_224_miil_in21k").vit;
  CHECK(old.architecture == "vit_base_patch16_224_miil");
  CHECK(old.head.num_classes == 11221);
  CHECK(old.picture().interpolation == vit::Interpolation::bilinear);
  CHECK_THROWS_WITH(vit::architecture("vit_base_patch16_224.dinov9"),
                    ContainsSubstring("unknown tag \"dinov9\"") && ContainsSubstring("dino, mae"));
  CHECK_THROWS_WITH(vit::architecture("vit_base_patch16_gap_224.x"),
                    ContainsSubstring("known are untrained"));
}

TEST_CASE("architecture names: near misses and models of other kinds") {
  CHECK_THROWS_WITH(vit::architecture("vit_bsae_patch16_224"),
                    ContainsSubstring("unknown architecture \"vit_bsae_patch16_224\"") &&
                        ContainsSubstring("vit_base_patch16_224"));
  // A name of another kind of model proposes none.
  for (const char* name : {"vit_base_patch16_foo_224", "vit_b_16", "resnet50"})
    CHECK_THROWS_WITH(vit::architecture(name),
                      ContainsSubstring("names are those of timm, as vit_base_patch16_224"));
  const std::pair<const char*, const char*> refused[] = {
      {"vit_small_r26_s32_224", "it has a ResNet in front"},
      {"vit_base_resnet50d_224", "it has a ResNet in front"},
      {"vit_base_mci_224", "convolutions in front"},
      {"vit_tiny_r_s16_p8_224", "it has a ResNet in front"},
      {"cait_s24_224", "class attention"},
      {"xcit_small_12_p16_224", "over channels"},
      {"volo_d1_224", "outlook attention"},
      {"hiera_base_224", "stages"},
      {"sam2_hiera_tiny", "stages"},
      {"vitamin_base_224", "convolutional stages"},
      {"samvit_base_patch16", "windows"},
      {"crossvit_9_240", "two branches"},
      {"tnt_s_patch16_224", "inner transformer"},
      {"vit_small_patch16_18x2_224", "in parallel"},
      {"vit_pwee_patch16_reg1_gap_256", "in parallel"},
      {"vit_dpwee_patch16_reg1_gap_256", "differential attention"},
      {"vit_dlittle_patch16_reg1_gap_256", "differential attention"},
      {"vit_giant_patch14_xp_224", "in parallel"},
      {"gemma4_vit_167m", "gated MLPs"},
      {"qwen3_vit_88m", "merger"},
      {"deepseek_vit_412m", "aligner"},
      {"swin_tiny_patch4_window7_224", "windows"},
  };
  for (const auto& [name, reason] : refused) {
    CAPTURE(name);
    CHECK_THROWS_WITH(vit::architecture(name),
                      ContainsSubstring("is not supported: ") && ContainsSubstring(reason));
  }
  CHECK_THROWS_WITH(vit::architecture(""), ContainsSubstring("unknown architecture"));
  CHECK_THROWS_WITH(vit::architecture(std::string(1000000, 'x')),
                    ContainsSubstring("unknown architecture"));
}
