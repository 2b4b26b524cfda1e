// Weights of encoders with rotary or relative positions, grouped queries, gates and norms inside:
// written and read back, and compared with configs that contradict them.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/save.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

namespace {

/// Why a checkpoint does not load when its model_args are changed.
std::string fault(const char* name, const nlohmann::json& changes) {
  const auto source = test::data("encoders") / name;
  auto config = test::read_json(source / "config.json");
  config["model_args"].update(changes);
  const test::TempDir folder;
  std::ofstream(folder / "config.json") << config;
  std::filesystem::copy_file(source / "model.safetensors", folder / "model.safetensors");
  try {
    vit::load(folder.path());
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "loads";
}

}  // namespace

TEST_CASE("a saved encoder has the names of its class of timm's, and is the one that was saved") {
  const std::string name = GENERATE(
      as<std::string>{}, "timm_dinov3", "timm_dinov3_swiglu", "timm_sapiens2", "timm_eva02",
      "timm_eva02_subln", "timm_eva02_clip", "timm_pe_core", "timm_pe_lang", "timm_rope_axial",
      "timm_rope_mixed", "timm_rope_gap", "timm_beit", "timm_beitv2_shared", "timm_beit3",
      "timm_aimv2", "timm_radio", "timm_naflex_siglip");
  CAPTURE(name);
  at::NoGradGuard no_grad;
  const auto source = test::data("encoders") / name;
  auto model = vit::load(source);
  const test::TempDir folder;
  vit::save(model, folder.path());
  const auto theirs = vit::read_safetensors(source / "model.safetensors");
  const auto ours = vit::read_safetensors(folder / "model.safetensors");
  CHECK(ours.size() == theirs.size());
  for (const auto& [key, tensor] : theirs) {
    CAPTURE(key);
    REQUIRE(ours.contains(key));
    CHECK(test::same(ours.at(key), tensor));
  }
  auto saved = vit::load(folder.path());
  CHECK(saved->config() == model->config());
}

TEST_CASE("configs that contradict the weights of an encoder are refused by name") {
  const std::string config_says = "the config says ";
  CHECK_THAT(fault("timm_rope_mixed", {{"num_heads", 4}}),
             ContainsSubstring(config_says + "heads of 4, but tensor \"rope.freqs\"") ||
                 ContainsSubstring(config_says + "heads of 4, but tensor \"blocks.0.attn.freqs\""));
  CHECK_THAT(fault("timm_beit", {{"num_heads", 4}}), ContainsSubstring(config_says + "heads of 4"));
  CHECK_THAT(fault("timm_beitv2_shared", {{"num_heads", 4}}),
             ContainsSubstring("rel_pos_bias.relative_position_bias_table\" has 3"));
  CHECK_THAT(fault("timm_sapiens2", {{"num_heads", 2}, {"num_kv_heads", 2}}),
             ContainsSubstring(config_says + "channels of a head 24"));
  CHECK_THAT(fault("timm_sapiens2", {{"num_kv_heads", {4, 4, 2, 4}}}),
             ContainsSubstring("num_kv_heads, 144, but tensor") && ContainsSubstring("has 96"));
  CHECK_THAT(
      fault("timm_naflex_siglip", {{"pos_embed_grid_size", {6, 5}}}),
      ContainsSubstring("positions of a grid of 6x5, but tensor \"embeds.pos_embed\" has 5x5"));
  CHECK_THAT(fault("timm_eva02", {{"mlp_ratio", 3.0}}),
             ContainsSubstring(config_says + "MLP width"));
  CHECK_THAT(fault("timm_dinov3_swiglu", {{"swiglu_align_to", 64}}),
             ContainsSubstring(config_says + "MLP width 128"));
  CHECK_THAT(
      fault("timm_beit", {{"img_size", 8000}}),
      ContainsSubstring("146 relative position biases with 3 of a class token are of no square"));
}

TEST_CASE("relative position biases are not fitted to any size that a config claims") {
  const auto source = test::data("encoders/timm_beit");
  auto weights = vit::read_safetensors(source / "model.safetensors");
  for (auto& [name, tensor] : weights)
    if (name.ends_with("relative_position_bias_table"))
      tensor = at::zeros({13 * 13 + 3, tensor.size(1)});  // of 7x7 patches
  const test::TempDir folder;
  vit::write_safetensors(folder / "model.safetensors", weights);
  auto config = test::read_json(source / "config.json");
  config["model_args"]["img_size"] = 8000;
  std::ofstream(folder / "config.json") << config;
  CHECK_THROWS_WITH(vit::load(folder.path()),
                    ContainsSubstring("far more than the relative position biases are made for"));
}
