// tests/data/transformers: small random models as transformers 5.23 writes them, and what it
// computes with them; made by make_transformers_files.py.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/layouts/layout.h>

using Catch::ContainsSubstring;

namespace {

constexpr double kTolerance = 1e-4;  // float32, against the library's own float32

nlohmann::json config_of(const std::string& name) {
  return test::read_json(test::data(name) / "config.json");
}

/// The error of reading a config that is `name`'s with a change.
std::string error_of(nlohmann::json config, const nlohmann::json& patch) {
  config.merge_patch(patch);
  const test::TempDir folder;
  std::ofstream(folder / "config.json") << config;
  try {
    vit::read_config(folder / "config.json");
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "";
}

/// The error of loading weights with a config that is theirs with a change.
std::string load_error(const std::string& name, const nlohmann::json& patch) {
  auto config = config_of(name);
  config.merge_patch(patch);
  const test::TempDir folder;
  std::ofstream(folder / "config.json") << config;
  std::filesystem::copy_file(test::data(name) / "model.safetensors", folder / "model.safetensors");
  try {
    vit::load(folder.path());
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every encoder of transformers gives the library's numbers") {
  at::NoGradGuard no_grad;
  const std::string name = GENERATE(
      as<std::string>{}, "dinov3_backbone", "sapiens2", "pixio", "radio", "tipsv2", "beit_bare",
      "beit_masked", "data2vec_bare", "internvl", "flava", "chinese_clip", "altclip",
      "metaclip_2_classes", "git", "owlvit", "owlv2", "blip", "blip_2", "mlcd", "siglip2", "aimv2");
  CAPTURE(name);
  const auto folder = test::data("transformers") / name;
  auto model = vit::load(folder);
  auto io = vit::read_safetensors(folder / "io.safetensors");
  const auto check = [&](const std::string& prefix) {
    CAPTURE(prefix);
    const auto result = model->forward_all(io.at(prefix + "input"));
    CHECK(test::max_difference(result.features, io.at(prefix + "features")) < kTolerance);
    CHECK(test::max_difference(result.logits, io.at(prefix + "logits")) < kTolerance);
  };
  check("");
  for (const auto& [key, tensor] : io)
    if (const auto slash = key.find("/input"); slash != key.npos) {
      model->set_image_size({tensor.size(2), tensor.size(3)});
      check(key.substr(0, slash + 1));
    }
}

TEST_CASE("the names that these encoders have in memory are as good as those in files") {
  using Names = std::vector<std::pair<std::string, std::string>>;
  const Names kBeit = {{"encoder.layer.", "layers."},
                       {".attention.attention.relative_position_bias.", ".relative_position_bias."},
                       {"encoder.relative_position_bias.", "shared_position_bias."},
                       {".attention.attention.query.", ".attention.q_proj."},
                       {".attention.attention.key.", ".attention.k_proj."},
                       {".attention.attention.value.", ".attention.v_proj."},
                       {".attention.output.dense.", ".attention.o_proj."},
                       {".intermediate.dense.", ".mlp.fc1."},
                       {".output.dense.", ".mlp.fc2."}};
  const Names kRadio = {
      {"radio_model.model.patch_generator.embedder", "embeddings.patch_projection"},
      {"radio_model.model.patch_generator.pos_embed", "embeddings.position_embedding"},
      {"radio_model.model.patch_generator.cls_token.token", "embeddings.cls_register_token"},
      {"radio_model.model.blocks.", "encoder.layer."},
      {"radio_model.", ""},
      {".attn.proj.", ".attention.o_proj."}};
  const std::pair<const char*, Names> cases[] = {
      {"encoders/hf_dinov3_gated", {{"layer.", "model.layer."}}},
      {"transformers/beit_bare", kBeit},
      {"encoders/hf_beit_shared", kBeit},
      {"transformers/altclip", {{"vision_model.encoder.layer.", "vision_model.encoder.layers."}}},
      {"transformers/radio", kRadio},
  };
  for (const auto& [name, names] : cases) {
    CAPTURE(name);
    vit::StateDict in_memory;
    for (const auto& [key, tensor] :
         vit::read_safetensors(test::data(name) / "model.safetensors")) {
      std::string renamed = key;
      for (const auto& [saved, module] : names)
        if (const auto at = renamed.find(saved); at != renamed.npos)
          renamed.replace(at, saved.size(), module);
      const std::string packed = ".attn.qkv.";
      if (const auto at = renamed.find(packed); at != renamed.npos) {
        const auto parts = tensor.chunk(3);
        for (const size_t i : {0u, 1u, 2u})
          in_memory[renamed.substr(0, at) + ".attention." + "qkv"[i] + "_proj." +
                    renamed.substr(at + packed.size())] = parts[i];
      } else {
        in_memory[renamed] = tensor;
      }
    }
    const test::TempDir folder;
    std::filesystem::copy_file(test::data(name) / "config.json", folder / "config.json");
    vit::write_safetensors(folder / "model.safetensors", in_memory);
    const auto expected = vit::load(test::data(name))->named_parameters();
    const auto got = vit::load(folder.path())->named_parameters();
    REQUIRE(got.size() == expected.size());
    for (const auto& item : expected) {
      CAPTURE(item.key());
      CHECK(test::same(got[item.key()], item.value()));
    }
  }
}

TEST_CASE("a model of several encoders says that its encoder of pictures is all that is read") {
  for (const char* name : {"git", "flava", "internvl", "owlvit", "blip_2"}) {
    CAPTURE(name);
    std::string warnings;
    vit::load(test::data("transformers") / name,
              {.on_warning = [&](const std::string& line) { warnings += line + "\n"; }});
    CHECK_THAT(warnings, ContainsSubstring("its encoder of them is all that is read"));
    // Nothing of the others may be taken for a classifier.
    CHECK_THAT(warnings, !ContainsSubstring("is taken for its head"));
  }
}

TEST_CASE("a classifier has the labels and the kind of scores of its config") {
  const auto model = vit::load(test::data("transformers/metaclip_2_classes"));
  CHECK(model->model_config().labels == std::vector<std::string>{"cat", "dog", "owl"});
  CHECK(model->model_config().score_kind() == vit::ScoreKind::softmax);
}

TEST_CASE("configs are those that timm's models of the kind have") {
  const auto read = [](const char* name) {
    return vit::read_config(test::data(name) / "config.json").vit;
  };
  // Of these, positions that there are none of have the defaults of what says nothing then.
  vit::PositionsConfig none;
  none.kind = vit::PositionKind::none;
  for (const char* name : {"encoders/hf_dinov3", "encoders/hf_beit", "encoders/hf_mlcd",
                           "encoders/hf_data2vec_vision", "transformers/sapiens2"})
    CHECK(read(name).positions == none);
  CHECK(read("encoders/hf_aimv2").positions == vit::PositionsConfig{});
  const auto dinov3 = read("encoders/hf_dinov3");
  CHECK(dinov3.block.attention.rotary ==
        vit::RotaryConfig{.layout = vit::RotaryLayout::half,
                          .coordinates = vit::RotaryCoordinates::centered,
                          .base = 100});
  CHECK(!dinov3.block.attention.k_bias);
  CHECK(read("transformers/sapiens2").kv_heads == std::vector<int64_t>{2, 1});
  CHECK(read("encoders/hf_siglip2_naflex").positions.table == vit::Size2d{6, 6});
}

TEST_CASE("configs that contradict themselves name the field") {
  const auto dinov3 = config_of("encoders/hf_dinov3");
  CHECK_THAT(error_of(dinov3, {{"rope_theta", 0}}), ContainsSubstring("config.json: rope_theta: "));
  CHECK_THAT(error_of(dinov3, {{"rope_theta", -100.0}}), ContainsSubstring("rope_theta: expected"));
  CHECK_THAT(error_of(dinov3, {{"num_attention_heads", 5}}),
             ContainsSubstring("num_heads 5 does not divide embed_dim 48"));
  CHECK_THAT(error_of(dinov3, {{"num_attention_heads", 8}}),
             ContainsSubstring("heads of a multiple of 4 channels, got 6"));
  CHECK_THAT(error_of(dinov3, {{"use_gated_mlp", true}}),
             ContainsSubstring("hidden_act: a gated MLP with hidden_act \"gelu\""));
  CHECK_THAT(error_of(dinov3, {{"num_register_tokens", -1}}),
             ContainsSubstring("num_register_tokens: "));
  CHECK_THAT(error_of(dinov3, {{"architectures", {"DINOv3ViTForSomething"}}}),
             ContainsSubstring("supported are DINOv3ViTModel, DINOv3ViTBackbone"));

  const auto beit = config_of("encoders/hf_beit");
  CHECK_THAT(error_of(beit, {{"image_size", {48, 64}}}),
             ContainsSubstring("image_size: a grid of 6x8 patches: the library mixes up"));
  CHECK_THAT(error_of(beit, {{"use_shared_relative_position_bias", true}}),
             ContainsSubstring("use_shared_relative_position_bias: "));
  CHECK_THAT(error_of(config_of("transformers/beit_masked"), {{"use_mean_pooling", false}}),
             ContainsSubstring("use_mean_pooling: "));

  const auto sapiens = config_of("transformers/sapiens2");
  CHECK_THAT(error_of(sapiens, {{"num_key_value_heads_per_layer", {2}}}),
             ContainsSubstring("num_key_value_heads_per_layer: names the heads of 1 blocks"));
  CHECK_THAT(error_of(sapiens, {{"num_key_value_heads_per_layer", {2, 3}}}),
             ContainsSubstring("num_kv_heads is 3"));
  CHECK_THAT(error_of(sapiens, {{"num_key_value_heads_per_layer", {3, 3}}}),
             ContainsSubstring("num_kv_heads is 3"));
  CHECK_THAT(error_of(sapiens, {{"num_key_value_heads_per_layer", {2, 0}}}),
             ContainsSubstring("num_key_value_heads_per_layer"));
  const auto siglip = config_of("encoders/hf_siglip2_naflex");
  CHECK_THAT(error_of(siglip, {{"num_patches", 35}}),
             ContainsSubstring("num_patches: 35 is not the square"));
  CHECK_THAT(error_of(siglip, {{"num_patches", 1000000000}}), ContainsSubstring("num_patches: "));
  CHECK_THAT(error_of(siglip, {{"patch_size", 0}}), ContainsSubstring("patch_size: "));

  const auto radio = config_of("transformers/radio");
  CHECK_THAT(error_of(radio, {{"patch_size", 0}}), ContainsSubstring("patch_size: "));
  CHECK_THAT(error_of(radio, {{"max_img_size", 2}}), ContainsSubstring("patch_size: "));
  CHECK_THAT(error_of(radio, {{"summary_idxs", {1, 0}}}), ContainsSubstring("summary_idxs"));
  CHECK_THAT(error_of(radio, {{"num_cls_tokens", 1}}), ContainsSubstring("summary_idxs: "));
  CHECK_THAT(error_of(config_of("encoders/hf_internvl"), {{"use_qk_norm", true}}),
             ContainsSubstring("use_qk_norm: "));
  const auto mlcd = config_of("encoders/hf_mlcd");
  CHECK_THAT(error_of(mlcd, {{"rope_parameters", {{"rope_theta", 0}}}}),
             ContainsSubstring("rope_parameters: rope_theta: "));
  CHECK_THAT(error_of(mlcd, {{"rope_parameters", {{"rope_type", "yarn"}}}}),
             ContainsSubstring("rope_parameters: rope_type: "));
  CHECK_THAT(error_of(config_of("encoders/hf_aimv2"), {{"hidden_act", "gelu"}}),
             ContainsSubstring("hidden_act: "));
}

TEST_CASE("configs that contradict the weights name what differs") {
  using Case = std::tuple<const char*, nlohmann::json, const char*>;
  const Case cases[] = {
      {"encoders/hf_dinov3", {{"num_register_tokens", 2}}, "register tokens 2"},
      {"encoders/hf_dinov3", {{"intermediate_size", 64}}, "MLP width 64"},
      {"encoders/hf_dinov3", {{"patch_size", 7}}, "patch height 7"},
      {"encoders/hf_dinov3", {{"hidden_size", 60}}, "embed_dim 60"},
      {"encoders/hf_dinov3", {{"num_hidden_layers", 3}}, "depth 3"},
      {"encoders/hf_dinov3", {{"query_bias", false}, {"value_bias", false}}, "attn.qkv.bias"},
      {"encoders/hf_beit", {{"use_relative_position_bias", false}}, "relative_position_bias_table"},
      {"encoders/hf_beit", {{"num_attention_heads", 4}}, "the config says heads of 4"},
      {"encoders/hf_aimv2", {{"use_head", false}}, "attn_pool"},
      {"encoders/hf_siglip2_naflex", {{"num_patches", 25}}, "pos_embed"},
      {"transformers/pixio", {{"n_cls_tokens", 4}}, "class tokens 4"},
      {"transformers/radio", {{"num_registers", 4}}, "class tokens 3"},
      {"transformers/sapiens2", {{"num_key_value_heads_per_layer", {2, 2}}}, "blocks.1.attn.qkv"},
      {"transformers/sapiens2", {{"use_qk_norm", false}}, "attn.k_norm"},
  };
  for (const auto& [name, patch, expected] : cases) {
    CAPTURE(name, patch.dump());
    CHECK_THAT(load_error(name, patch), ContainsSubstring(expected));
  }
}

TEST_CASE("other models of transformers are refused as what they are") {
  const auto error = [](const char* type) {
    return error_of({{"model_type", type}}, nlohmann::json::object());
  };
  CHECK_THAT(error("videoprism"), ContainsSubstring("VideoPrism, a model of video clips"));
  CHECK_THAT(error("videomae"), ContainsSubstring("VideoMAE, a model of video clips"));
  CHECK_THAT(error("timesformer"), ContainsSubstring("TimeSformer"));
  CHECK_THAT(error("audio-spectrogram-transformer"), ContainsSubstring("a model of sounds"));
  CHECK_THAT(error("hiera"), ContainsSubstring("Hiera, which has stages"));
  CHECK_THAT(error("sam_vision_model"), ContainsSubstring("SAM"));
  CHECK_THAT(error("yolos"), ContainsSubstring("YOLOS, an object detector"));
  CHECK_THAT(error("vitdet"), ContainsSubstring("attention in windows"));
  CHECK_THAT(error("groupvit"), ContainsSubstring("GroupViT"));
  CHECK_THAT(error("pixtral"), ContainsSubstring("Pixtral"));
  CHECK_THAT(error("swinv2"), ContainsSubstring("Swin"));
  CHECK_THAT(error("no_such_type"), ContainsSubstring("supported are the encoders of vit, "));
}

TEST_CASE("a config says better than tensors what a model is") {
  const test::TempDir folder;
  const auto load = [&](const char* type, const vit::StateDict& weights) {
    std::ofstream(folder / "config.json") << nlohmann::json{{"model_type", type}};
    vit::write_safetensors(folder / "model.safetensors", weights);
    vit::load(folder.path());
  };
  const auto w = at::zeros({2, 2});
  CHECK_THROWS_WITH(load("hiera", {{"encoder.stages.0.layers.0.attn.proj.bias", w}}),
                    ContainsSubstring("Hiera, which has stages"));
  CHECK_THROWS_WITH(load("videoprism", {{"temporal_embeddings.position_embeddings", w}}),
                    ContainsSubstring("VideoPrism, a model of video clips"));
  CHECK_THROWS_WITH(load("timm_wrapper", {{"stages.0.blocks.0.weight", w}}),
                    ContainsSubstring("config.json"));
}

TEST_CASE("parts of one tensor that do not belong together are named") {
  const auto w = at::zeros({4, 4});
  CHECK_THROWS_WITH(vit::kHuggingfaceAimv2Layout.to_timm({{"head.k_proj.weight", w}}, "file"),
                    ContainsSubstring("the attention pool has no weight of key and value"));
  CHECK_THROWS_WITH(
      vit::kHuggingfaceRadioLayout.to_timm(
          {{"radio_model.model.patch_generator.embedder.weight", at::zeros({4, 10})}}, "file"),
      ContainsSubstring("expected the pixels of a square patch of 3 channels"));
  CHECK_THROWS_WITH(vit::kHuggingfaceRadioLayout.to_timm(
                        {{"radio_model.model.patch_generator.embedder.weight", at::zeros({4, 12})},
                         {"radio_model.summary_idxs", at::tensor({1, 0}, at::kLong)}},
                        "file"),
                    ContainsSubstring("\"summary_idxs\""));
}
