#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <string>
#include <vector>

#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;
using test::vitome;

TEST_CASE("weights that may be of several kinds of models are asked for --arch") {
  const test::TempDir folder;
  const auto file = folder / "weights.safetensors";
  std::filesystem::copy_file(test::data("encoders/timm_dinov3/model.safetensors"), file);
  const auto run = vitome({"inspect", "--model", file.string()});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("nothing in them tells whether it has rotary positions") &&
                          ContainsSubstring("(--arch)"));
}

TEST_CASE("inspect describes a checkpoint in JSON") {
  const auto folder = test::data("vit/timm_vit_nonsquare");
  const auto run = vitome({"inspect", "--model", folder.string(), "--keys", "--json", "-"});
  REQUIRE(run.status == 0);
  CHECK(run.err.empty());
  const auto json = nlohmann::json::parse(run.out);
  CHECK(json.at("family") == "vit");
  CHECK(json.at("image_size") == std::vector<int>{48, 80});
  CHECK(json.at("patch_size") == std::vector<int>{8, 8});
  CHECK(json.at("depth") == 4);
  CHECK(json.at("config").at("embed_dim") == 40);
  CHECK(json.at("config").at("img_size") == std::vector<int>{48, 80});
  CHECK(json.at("embed_dim") == 40);
  CHECK(json.at("heads") == 4);
  CHECK(json.at("prefix_tokens") == 1);
  CHECK(json.at("tokens") == 61);
  CHECK(json.at("dtype") == "fp32");
  CHECK(json.at("gflops").get<double>() > 0);

  const auto weights = vit::read_safetensors(folder / "model.safetensors");
  int64_t numbers = 0;
  for (const auto& [name, tensor] : weights) numbers += tensor.numel();
  CHECK(json.at("parameters") == numbers);
  REQUIRE(json.at("tensors").size() == weights.size());
  for (const auto& entry : json.at("tensors"))
    CHECK(entry.at("shape") == weights.at(entry.at("name")).sizes().vec());

  // Tokens fall by r in every layer, and GFLOPs with them.
  REQUIRE(json.at("merging").size() > 2);
  CHECK(json.at("merging").front().at("gflops") == json.at("gflops"));
  for (const auto& row : json.at("merging")) {
    const int64_t r = row.at("r");
    CHECK(row.at("tokens") == std::vector<int64_t>{61 - r, 61 - 2 * r, 61 - 3 * r, 61 - 4 * r});
  }
}

TEST_CASE("inspect names the family of a checkpoint") {
  for (const auto& [folder, family] :
       std::vector<std::pair<std::string, std::string>>{{"vit/timm_deit_distilled", "deit"},
                                                        {"vit/timm_dinov2_reg", "dinov2"},
                                                        {"vit/hf_dinov2_registers", "dinov2"},
                                                        {"vit/timm_clip_prenorm", "clip"},
                                                        {"vit/hf_clip_vision", "clip"},
                                                        {"vit/hf_siglip", "siglip"},
                                                        {"vit/torchvision_vit", "vit"},
                                                        {"families/hf_mae", "mae"},
                                                        {"families/open_clip", "clip"}}) {
    CAPTURE(folder);
    const auto run = vitome({"inspect", "--model", test::data(folder).string(), "--json", "-"});
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    CHECK(nlohmann::json::parse(run.out).at("family") == family);
  }
}

TEST_CASE("inspect shows the shipped model without arguments") {
  const auto run = vitome({"inspect"});
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, ContainsSubstring("10: airplane, automobile"));
  CHECK_THAT(run.out, ContainsSubstring("32x32 pixels"));
}

TEST_CASE("inspect knows architectures without weights") {
  const auto run = vitome({"inspect", "--arch", "vit_base_patch16_224", "--json", "-"});
  REQUIRE(run.status == 0);
  const auto json = nlohmann::json::parse(run.out);
  CHECK(json.at("parameters") == 86567656);
  const double gflops = json.at("gflops");
  CHECK(gflops > 17.4);
  CHECK(gflops < 17.8);
  CHECK(json.at("tokens") == 197);
  CHECK(json.at("recommended_r") == 13);
  CHECK_FALSE(json.contains("dtype"));
  const auto large =
      vitome({"inspect", "--arch", "vit_base_patch16_224", "--image-size", "384", "--json", "-"});
  CHECK(nlohmann::json::parse(large.out).at("tokens") == 577);
}

TEST_CASE("inspect --keys shows tensors of a file that is no model") {
  const test::TempDir temp;
  const auto file = (temp / "other.safetensors").string();
  vit::write_safetensors(file, {{"some.tensor", at::Tensor(at::ones({2, 5}))}});
  const auto run = vitome({"inspect", "--model", file, "--keys"});
  CHECK(run.status == 1);
  CHECK_THAT(run.out, ContainsSubstring("some.tensor  fp32  [2,5]"));
  CHECK_FALSE(run.err.empty());
}

TEST_CASE("inspect shows positions, norms and the kind of MLP") {
  const auto run =
      vitome({"inspect", "--model", test::data("vit/timm_dinov2_swiglu").string(), "--json", "-"});
  REQUIRE(run.status == 0);
  const auto json = nlohmann::json::parse(run.out);
  CHECK(json.at("positions") == "a learned table");
  CHECK(json.at("merged_positions") == "");
  CHECK(json.at("norms") == "layer norm, eps 1e-06, before the branches, layer scale");
  CHECK_THAT(json.at("mlp").get<std::string>(), ContainsSubstring("SwiGLU, width"));

  const auto rotary = vitome({"inspect", "--model", test::data("encoders/timm_sapiens2").string()});
  REQUIRE(rotary.status == 0);
  CHECK_THAT(rotary.out, ContainsSubstring("rotary (2 axes, coordinates from -1 to 1, base 100, "
                                           "half layout)"));
  CHECK_THAT(rotary.out, ContainsSubstring("at the mean of their patches"));
  CHECK_THAT(rotary.out, ContainsSubstring("4 heads, 2 to 4 of keys and values, norm on q and k"));
  CHECK_THAT(rotary.out, ContainsSubstring("RMS norm, eps 1e-06, before the branches, layer scale "
                                           "on attention"));

  const auto biased = vitome({"inspect", "--model", test::data("encoders/timm_beit3").string()});
  REQUIRE(biased.status == 0);
  CHECK_THAT(biased.out, ContainsSubstring("norm before the projection"));
  CHECK_THAT(biased.out, ContainsSubstring("norm before its second layer"));
}
