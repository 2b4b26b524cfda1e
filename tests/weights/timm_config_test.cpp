#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <cmath>
#include <fstream>

#include <vit/error.h>
#include <vit/weights/config_json.h>

using Catch::ContainsSubstring;

namespace {

vit::ModelConfig read(const std::string& text) {
  test::TempDir folder;
  std::ofstream(folder / "config.json") << text;
  return vit::read_config(folder / "config.json");
}

vit::ModelConfig with_args(const std::string& architecture, const std::string& args) {
  return read(R"({"architecture": ")" + architecture + R"(", "model_args": {)" + args + "}}");
}

}  // namespace

TEST_CASE("a timm config overrides what its architecture implies") {
  const auto config = read(R"({
    "architecture": "vit_small_patch16_224.augreg_in1k", "num_classes": 7, "num_features": 384,
    "global_pool": "token", "some_future_field": [1],
    "label_names": ["a", "b"],
    "model_args": {"img_size": [64, 96], "patch_size": 8, "depth": 3, "mlp_ratio": 2.5,
                   "init_values": 1e-5, "reg_tokens": 2, "no_embed_class": true, "qk_norm": true,
                   "drop_path_rate": 0.1, "dynamic_img_size": true, "norm_layer": null,
                   "embed_norm_layer": null},
    "pretrained_cfg": {"input_size": [3, 224, 224], "mean": [0.1], "std": [0.2, 0.3, 0.4],
                       "crop_pct": 0.875, "crop_mode": "squash", "interpolation": "bilinear",
                       "num_classes": 1000, "another_field": null, "license": "mit"}})");
  const auto& c = config.vit;
  CHECK(c.architecture == "vit_small_patch16_224");
  CHECK(c.image_size() == vit::Size2d{64, 96});
  CHECK(c.patch.size() == vit::Size2d{8, 8});
  CHECK(c.head.num_classes == 7);
  CHECK(c.depth == 3);
  CHECK(c.block.mlp.hidden_dim == 960);
  CHECK(c.block.layer_scale);
  CHECK(c.prefix.reg_tokens == 2);
  CHECK(!c.positions.covers_prefix);
  CHECK(c.block.attention.qk_norm);
  CHECK(config.labels == std::vector<std::string>{"a", "b"});
  const auto& p = config.vit.picture();
  CHECK(p.input_size == vit::Size2d{64, 96});
  CHECK(p.mean == std::vector<double>{0.1, 0.1, 0.1});
  CHECK(p.std == std::vector<double>{0.2, 0.3, 0.4});
  CHECK(p.crop_pct == 0.875);
  CHECK(p.crop_mode == vit::CropMode::squash);
  CHECK(p.interpolation == vit::Interpolation::bilinear);
}

TEST_CASE("the norm follows the pooling as in timm") {
  const std::string plain = "vit_base_patch16_224";
  CHECK(!with_args(plain, "").vit.head.norm_after);
  CHECK(with_args(plain, R"("global_pool": "avg")").vit.head.norm_after);
  CHECK(!with_args(plain, R"("global_pool": "avg", "fc_norm": false)").vit.head.norm_after);
  CHECK(!with_args(plain, R"("global_pool": "avg", "final_norm": false)").vit.head.norm_after);
  CHECK(with_args(plain, R"("fc_norm": true)").vit.head.norm_after);
  // This one has fc_norm=False of its own, null asks for the default again.
  CHECK(!with_args("vit_base_patch16_gap_224", "").vit.head.norm_after);
  CHECK(with_args("vit_base_patch16_gap_224", R"("fc_norm": null)").vit.head.norm_after);
  CHECK(
      read(R"({"architecture": "vit_base_patch16_224", "global_pool": "avg"})").vit.head.pooling ==
      vit::Pooling::avg);
}

TEST_CASE("widths, activations and positions") {
  const std::string plain = "vit_base_patch16_224";
  CHECK(
      with_args("vit_so400m_patch14_siglip_224", R"("embed_dim": 576)").vit.block.mlp.hidden_dim ==
      2152);
  CHECK(with_args("vit_giant_patch14_dinov2", "").vit.block.mlp.hidden_dim == 4096);
  const auto swiglu = with_args(plain, R"("mlp_layer": "swiglu_packed", "act_layer": "silu")").vit;
  CHECK(swiglu.block.mlp.kind == vit::MlpKind::swiglu_packed);
  CHECK(swiglu.block.mlp.hidden_dim == 1536);
  CHECK_THROWS_WITH(with_args(plain, R"("mlp_layer": "swiglu_packed", "act_layer": "gelu")"),
                    ContainsSubstring("act_layer: \"gelu\" is unknown or not supported"));
  CHECK(with_args(plain, R"("act_layer": "silu")").vit.block.mlp.activation ==
        vit::Activation::silu);
  CHECK_THROWS_WITH(with_args(plain, R"("act_layer": "mish")"), ContainsSubstring("act_layer"));
  CHECK(with_args(plain, R"("act_layer": "gelu_tanh")").vit.block.mlp.activation ==
        vit::Activation::gelu_tanh);
  CHECK(with_args(plain, R"("pos_embed": "sincos_2d")").vit.positions.kind ==
        vit::PositionKind::sincos_2d);
  CHECK(with_args(plain, R"("pos_embed": "")").vit.positions.kind == vit::PositionKind::none);
  const auto clip = with_args(plain, R"("pre_norm": true)").vit;
  CHECK((clip.pre_norm && !clip.patch.bias));
}

TEST_CASE("labels come from names, indices or descriptions") {
  const auto labels = [](const std::string& fields) {
    return read(R"({"architecture": "vit_tiny_patch16_224", "num_classes": 3, )" + fields + "}")
        .labels;
  };
  using List = std::vector<std::string>;
  CHECK(labels(R"("label_names": ["x", "y", "z", "beyond the head"])") ==
        List{"x", "y", "z", "beyond the head"});
  CHECK(labels(R"("label_names": {"2": "z", "0": "x"})") == List{"x", "", "z"});
  CHECK(labels(R"("label_names": ["n1", "n2"], "label_descriptions": {"n2": "cat"})") ==
        List{"n1", "cat"});
  CHECK(labels(R"("label_descriptions": {"n02": "cat", "n01": "tench"})") == List{"tench", "cat"});
  CHECK_THROWS_WITH(labels(R"("label_names": {"x": "y"})"), ContainsSubstring("no class index"));
  CHECK_THROWS_WITH(labels(R"("label_names": [1])"), ContainsSubstring("label_names[0]"));
}

TEST_CASE("the family is that of the name, or else of the tag") {
  const auto family = [](const std::string& name, const std::string& tag = "") {
    return read(R"({"architecture": ")" + name + R"(", "pretrained_cfg": {"tag": ")" + tag + "\"}}")
        .vit.family;
  };
  CHECK(family("vit_base_patch16_224") == "vit");
  CHECK(family("vit_base_patch16_224.mae") == "mae");
  CHECK(family("vit_base_patch16_224", "augreg2_in21k_ft_in1k") == "augreg");
  CHECK(family("vit_small_patch8_224", "dino") == "dino");
  CHECK(family("vit_huge_patch14_gap_224", "in1k_ijepa") == "ijepa");
  CHECK(family("deit3_small_patch16_224", "fb_in1k") == "deit3");
  CHECK(family("vit_base_patch16_clip_224", "openai") == "clip");
  CHECK(family("vit_base_patch16_siglip_224", "webli") == "siglip");
  CHECK(family("vit_small_patch14_reg4_dinov2", "lvd142m") == "dinov2");
}

TEST_CASE("pictures' statistics are averaged for models of other channels") {
  const auto config = read(R"({"architecture": "vit_tiny_patch16_224",
      "model_args": {"in_chans": 4}, "pretrained_cfg": {"mean": [0.1, 0.2, 0.6], "std": [0.5]}})");
  REQUIRE(config.vit.picture().mean.size() == 4);
  CHECK(std::abs(config.vit.picture().mean[3] - 0.3) < 1e-12);
  CHECK(config.vit.picture().std == std::vector<double>(4, 0.5));
}

TEST_CASE("config faults are named with their field") {
  const std::string plain = "vit_base_patch16_224";
  CHECK_THROWS_WITH(with_args(plain, R"("rope": true)"),
                    ContainsSubstring("config.json: model_args: the option \"rope\" is unknown"));
  CHECK_THROWS_WITH(with_args(plain, R"("attn_layer": "diff")"),
                    ContainsSubstring("model_args: attn_layer: is not supported"));
  CHECK(with_args(plain, R"("scale_mlp_norm": true)").vit.block.mlp.norm);
  CHECK_THROWS_WITH(with_args(plain, R"("scale_mlp_norm": 1)"),
                    ContainsSubstring("scale_mlp_norm: expected true or false"));
  CHECK_THROWS_WITH(with_args(plain, R"("depth": 12.0)"),
                    ContainsSubstring("model_args: depth: expected an integer, got 12.0"));
  CHECK_THROWS_WITH(with_args(plain, R"("class_token": 1)"),
                    ContainsSubstring("class_token: expected true or false, got 1"));
  CHECK_THROWS_WITH(with_args(plain, R"("img_size": [1, 2, 3])"), ContainsSubstring("img_size"));
  CHECK(with_args(plain, R"("img_size": 225)").vit.num_patches() == 14 * 14);
  CHECK(with_args(plain, R"("dynamic_img_pad": true)").vit.num_patches() == 14 * 14);
  CHECK_THROWS_WITH(with_args(plain, R"("dynamic_img_pad": true, "img_size": 225)"),
                    ContainsSubstring("dynamic_img_pad: padding"));
  CHECK_THROWS_WITH(with_args(plain, R"("class_token": false)"),
                    ContainsSubstring("pooling by class token"));
  CHECK_THROWS_WITH(with_args(plain, R"("global_pool": "prr")"),
                    ContainsSubstring("global_pool: \"prr\" is unknown or not supported"));
  CHECK_THROWS_WITH(read(R"({"architecture": "vit_tiny_patch16_224",
                             "pretrained_cfg": {"crop_mode": "wide"}})"),
                    ContainsSubstring("crop_mode: \"wide\" is unknown or not supported"));
  CHECK_THROWS_WITH(read(R"({"architecture": "vit_tiny_patch16_224",
                             "pretrained_cfg": {"interpolation": "random"}})"),
                    ContainsSubstring("expected one of \"nearest\", \"box\""));
}
