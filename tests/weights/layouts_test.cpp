#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <array>
#include <filesystem>
#include <fstream>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>

using Catch::ContainsSubstring;

namespace {

vit::ModelConfig read(const test::TempDir& folder, const std::string& json,
                      const std::string& preprocessor = "") {
  std::ofstream(folder / "config.json") << json;
  if (!preprocessor.empty()) std::ofstream(folder / "preprocessor_config.json") << preprocessor;
  return vit::read_config(folder / "config.json");
}

}  // namespace

TEST_CASE("key rules rename by whole parts of a name") {
  constexpr std::array<vit::KeyRule, 3> kRules{
      {{"enc.layer_*.ln", "blocks.*.norm"}, {"head", "classifier"}, {"extra", ""}}};
  const vit::StateDict weights{{"enc.layer_12.ln.weight", at::ones({1})},
                               {"enc.layer_.ln.weight", at::ones({1})},
                               {"enc.layer_3.lnx", at::ones({1})},
                               {"head", at::ones({1})},
                               {"header", at::ones({1})},
                               {"extra.bias", at::ones({1})}};
  std::vector<std::string> names;
  for (const auto& [name, tensor] : vit::rename_keys(weights, kRules, "f")) names.push_back(name);
  CHECK(names == std::vector<std::string>{"blocks.12.norm.weight", "classifier",
                                          "enc.layer_.ln.weight", "enc.layer_3.lnx", "header"});
  CHECK_THROWS_WITH(
      vit::rename_keys({{"head", at::ones({1})}, {"classifier", at::ones({1})}}, kRules, "f"),
      ContainsSubstring("f: two tensors are \"classifier\""));
}

TEST_CASE("weights of other libraries load without a config where their shapes say enough") {
  // Heads of 64 channels are the rule when nothing tells; these models have others, so the width
  // and the names are what can be checked here.
  at::NoGradGuard no_grad;
  for (const char* name : {"hf_vit", "hf_dinov2", "hf_clip_vision", "torchvision_vit"}) {
    CAPTURE(name);
    const auto file = test::data("vit") / name / "model.safetensors";
    const auto weights = vit::read_safetensors(file);
    const vit::Layout& layout = vit::detect_layout(weights);
    CHECK(&layout != &vit::kTimmLayout);
    const auto renamed = layout.to_timm(weights, name);
    CHECK(renamed.contains("blocks.3.attn.qkv.weight"));
    CHECK(renamed.contains("norm.weight"));
    for (const auto& [key, tensor] : renamed)
      CHECK((key.starts_with("blocks.") || key.starts_with("head.") || key.starts_with("norm") ||
             key.starts_with("patch_embed.") || key == "cls_token" || key == "pos_embed"));
  }
}

TEST_CASE("the names of transformers' modules are as good as those that it saves") {
  // What its version 5.23 calls a parameter in memory, which torch.save writes, and in its own
  // files.
  const std::pair<std::string, std::string> kVit[] = {
      {"encoder.layer.", "layers."},
      {".attention.attention.query.", ".attention.q_proj."},
      {".attention.attention.key.", ".attention.k_proj."},
      {".attention.attention.value.", ".attention.v_proj."},
      {".attention.output.dense.", ".attention.o_proj."},
      {".intermediate.dense.", ".mlp.fc1."},
      {".output.dense.", ".mlp.fc2."}};
  const std::pair<std::string, std::string> kDinov2[] = {
      {".attention.attention.query.", ".attention.q_proj."},
      {".attention.attention.key.", ".attention.k_proj."},
      {".attention.attention.value.", ".attention.v_proj."},
      {".attention.output.dense.", ".attention.o_proj."},
      {".mlp.weights_out.", ".mlp.down_proj."}};
  const std::string name =
      GENERATE(as<std::string>{}, "vit/hf_vit", "vit/hf_deit_distilled", "vit/hf_deit_plain",
               "vit/hf_dinov2", "vit/hf_dinov2_registers", "vit/hf_dinov2_swiglu",
               "families/hf_mae", "families/hf_msn", "families/hf_ijepa", "families/hf_vit_model");
  CAPTURE(name);
  const auto source = test::data(name);
  const bool is_dinov2 = name.find("dinov2") != name.npos;
  vit::StateDict in_memory;
  for (const auto& [key, tensor] : vit::read_safetensors(source / "model.safetensors")) {
    std::string renamed = key;
    const auto replace = [&](const auto& names) {
      for (const auto& [saved, module] : names)
        if (const auto at = renamed.find(saved); at != renamed.npos)
          renamed.replace(at, saved.size(), module);
    };
    is_dinov2 ? replace(kDinov2) : replace(kVit);
    const std::string gated = ".mlp.weights_in.";
    if (const auto at = renamed.find(gated); at != renamed.npos) {
      const auto halves = tensor.chunk(2);
      in_memory[renamed.substr(0, at) + ".mlp.gate_proj." + renamed.substr(at + gated.size())] =
          halves[0];
      in_memory[renamed.substr(0, at) + ".mlp.up_proj." + renamed.substr(at + gated.size())] =
          halves[1];
    } else {
      in_memory[renamed] = tensor;
    }
  }
  const test::TempDir folder;
  std::filesystem::copy_file(source / "config.json", folder / "config.json");
  vit::write_safetensors(folder / "model.safetensors", in_memory);
  const auto expected = vit::load(source)->named_parameters();
  const auto got = vit::load(folder.path())->named_parameters();
  REQUIRE(got.size() == expected.size());
  for (const auto& item : expected) {
    CAPTURE(item.key());
    CHECK(test::same(got[item.key()], item.value()));
  }

  // One half of a gated layer alone is none.
  if (in_memory.erase("encoder.layer.0.mlp.up_proj.bias"))
    CHECK_THROWS_WITH(vit::kHuggingfaceLayout.to_timm(in_memory, "file"),
                      ContainsSubstring("no two halves of one shape"));
}

TEST_CASE("broken attention weights are named") {
  const auto w = at::zeros({4, 4});
  vit::StateDict weights{{"vit.embeddings.patch_embeddings.projection.weight", w},
                         {"vit.encoder.layer.0.attention.attention.query.weight", w},
                         {"vit.encoder.layer.0.attention.attention.key.weight", w}};
  CHECK_THROWS_WITH(vit::kHuggingfaceLayout.to_timm(weights, "file"),
                    ContainsSubstring("\"blocks.0.attn.\" has no complete weight"));
  weights["vit.encoder.layer.0.attention.attention.value.weight"] = at::zeros({4, 5});
  CHECK_THROWS_WITH(vit::kHuggingfaceLayout.to_timm(weights, "file"),
                    ContainsSubstring("differ in shape"));
}

TEST_CASE("keys without a bias get zeros beside the bias of queries and values") {
  const auto w = at::zeros({4, 4});
  const std::string stem = "vit.encoder.layer.0.attention.attention.";
  const vit::StateDict weights{{"vit.embeddings.patch_embeddings.projection.weight", w},
                               {stem + "query.weight", w},
                               {stem + "key.weight", w},
                               {stem + "value.weight", w},
                               {stem + "query.bias", at::ones({4})},
                               {stem + "value.bias", at::full({4}, 2.0)}};
  const auto packed = vit::kHuggingfaceLayout.to_timm(weights, "file");
  CHECK(test::same(packed.at("blocks.0.attn.qkv.bias"),
                   at::cat({at::ones({4}), at::zeros({4}), at::full({4}, 2.0)})));
}

TEST_CASE("registers move the class token's position into the class token") {
  const auto table = at::randn({1, 5, 4}), cls = at::randn({1, 1, 4});
  const vit::StateDict weights{
      {"dinov2_with_registers.embeddings.patch_embeddings.projection.weight", at::zeros({4, 4})},
      {"dinov2_with_registers.embeddings.cls_token", cls},
      {"dinov2_with_registers.embeddings.register_tokens", at::zeros({1, 2, 4})},
      {"dinov2_with_registers.embeddings.position_embeddings", table}};
  const auto folded = vit::kHuggingfaceLayout.to_timm(weights, "file");
  CHECK(test::same(folded.at("cls_token"), cls + table.slice(1, 0, 1)));
  CHECK(test::same(folded.at("pos_embed"), table.slice(1, 1)));
}

TEST_CASE("files of self-supervised training lose what only training needs") {
  at::NoGradGuard no_grad;
  auto weights = vit::read_safetensors(test::data("vit/timm_vit_cls/model.safetensors"));
  const auto expected =
      vit::load(test::data("vit/timm_vit_cls"))->forward_all(at::ones({1, 3, 64, 64}));
  weights.erase("head.weight");
  weights.erase("head.bias");

  vit::StateDict dino, mae = weights;
  for (const auto& [name, tensor] : weights) dino["backbone." + name] = tensor;
  dino["head.mlp.0.weight"] = dino["head.last_layer.weight_g"] = at::zeros({3});
  mae["mask_token"] = mae["decoder_pos_embed"] = mae["decoder_blocks.0.norm1.weight"] =
      mae["decoder_embed.weight"] = at::zeros({3});

  const test::TempDir folder;
  for (const auto& file : {dino, mae}) {
    vit::write_safetensors(folder / "model.safetensors", file);
    std::ofstream(folder / "config.json") << R"({"architecture": "vit_small_patch8_224",
      "num_classes": 0, "model_args": {"img_size": 64, "patch_size": 8, "embed_dim": 64, "depth": 4,
      "num_heads": 4, "mlp_ratio": 1.5}})";
    const auto features = vit::load(folder.path())->forward_all(at::ones({1, 3, 64, 64})).features;
    CHECK(test::same(features, expected.features));
  }
}

TEST_CASE("the authors' files of DeiT III have their layer scales") {
  at::NoGradGuard no_grad;
  const auto source = test::data("families/timm_deit3");
  vit::StateDict theirs;
  for (const auto& [name, tensor] : vit::read_safetensors(source / "model.safetensors")) {
    auto renamed = name;
    for (const std::string number : {"1", "2"})
      if (const auto at = renamed.find(".ls" + number + ".gamma"); at != renamed.npos)
        renamed = renamed.substr(0, at) + ".gamma_" + number;
    theirs[renamed] = tensor;
  }
  CHECK(theirs.contains("blocks.0.gamma_1"));
  const test::TempDir folder;
  vit::write_safetensors(folder / "model.safetensors", theirs);
  std::filesystem::copy_file(source / "config.json", folder / "config.json");
  const auto io = vit::read_safetensors(source / "io.safetensors");
  CHECK(test::max_difference(vit::load(folder.path())->forward(io.at("input")), io.at("logits")) <
        1e-4);
}

TEST_CASE("DINOv2's blocks may come in chunks, alone or in a training checkpoint") {
  at::NoGradGuard no_grad;
  const auto source = test::data("vit/timm_dinov2_swiglu");
  const std::string prefix = GENERATE(as<std::string>{}, "", "backbone.");
  CAPTURE(prefix);
  vit::StateDict theirs;
  for (const auto& [key, tensor] : vit::read_safetensors(source / "model.safetensors")) {
    auto name = key;
    if (name.starts_with("blocks.")) {
      const char block = name.at(7);
      name.insert(7, std::string(1, static_cast<char>('0' + (block - '0') / 2)) + ".");
      for (const auto& [from, to] :
           {std::pair("mlp.fc1", "mlp.w12"), std::pair("mlp.fc2", "mlp.w3")})
        if (const auto at = name.find(from); at != name.npos) name.replace(at, 7, to);
    }
    theirs[prefix + name] = tensor;
  }
  CHECK(theirs.contains(prefix + "blocks.1.2.mlp.w12.weight"));
  if (!prefix.empty()) theirs["dino_head.mlp.0.weight"] = at::zeros({3});
  const test::TempDir folder;
  vit::write_safetensors(folder / "model.safetensors", theirs);
  std::filesystem::copy_file(source / "config.json", folder / "config.json");
  const auto io = vit::read_safetensors(source / "io.safetensors");
  const auto features = vit::load(folder.path())->forward_all(io.at("input")).features;
  CHECK(test::max_difference(features, io.at("features")) < 1e-4);
}

TEST_CASE("timm's models load out of the transformers library's wrapper") {
  at::NoGradGuard no_grad;
  const auto source = test::data("vit/timm_dinov2_reg");
  vit::StateDict wrapped;
  for (const auto& [name, tensor] : vit::read_safetensors(source / "model.safetensors"))
    wrapped["timm_model." + name] = tensor;
  const test::TempDir folder;
  vit::write_safetensors(folder / "model.safetensors", wrapped);
  auto config = test::read_json(source / "config.json");
  config["model_type"] = "timm_wrapper";
  std::ofstream(folder / "config.json") << config;

  const auto io = vit::read_safetensors(source / "io.safetensors");
  const auto features = vit::load(folder.path())->forward_all(io.at("input")).features;
  CHECK(test::max_difference(features, io.at("features")) < 1e-4);
}

TEST_CASE("OpenCLIP's config is read beside its weights, whatever else describes the model") {
  const test::TempDir folder;
  const auto source = test::data("families/open_clip");
  for (const char* name : {"open_clip_config.json", "open_clip_model.safetensors"})
    std::filesystem::copy_file(source / name, folder / name);
  std::ofstream(folder / "config.json") << R"({"model_type": "clip", "architectures": ["CLIPModel"],
      "vision_config": {"hidden_size": 1024}})";
  const auto model = vit::load(folder.path());
  CHECK(model->config().block.mlp.activation == vit::Activation::quick_gelu);
  CHECK(model->config().block.attention.num_heads == 2);
  CHECK(model->config().head.num_classes == 10);
  CHECK(model->picture_preprocessing().std == std::vector<double>{0.25, 0.25, 0.25});

  auto config = test::read_json(source / "open_clip_config.json");
  const auto read_changed = [&](const char* key, const nlohmann::json& value) {
    auto changed = config;
    changed["model_cfg"]["vision_cfg"][key] = value;
    return read(folder, changed.dump());
  };
  CHECK(read_changed("head_width", 8).vit.block.attention.num_heads == 3);
  CHECK_THROWS_WITH(read_changed("layers", {3, 4, 6, 3}), ContainsSubstring("ResNet"));
  CHECK_THROWS_WITH(read_changed("head_width", 0),
                    ContainsSubstring("head_width: must be positive"));
  CHECK_THROWS_WITH(read_changed("attentional_pool", "parallel"),
                    ContainsSubstring("attentional_pool: is not supported"));
  CHECK_THROWS_WITH(read_changed("timm_model_name", "resnet50"),
                    ContainsSubstring("timm_model_name: unknown architecture \"resnet50\""));
}

TEST_CASE("preprocessing of the transformers library is read from its own file") {
  const test::TempDir folder;
  const std::string vit = R"({"model_type": "vit", "architectures": ["ViTModel"]})";
  const auto defaults = read(folder, vit).vit.picture();
  CHECK(defaults.crop_mode == vit::CropMode::squash);
  CHECK(defaults.interpolation == vit::Interpolation::bilinear);

  const auto clip = read(folder, vit, R"({"size": {"shortest_edge": 256}, "resample": 3,
      "do_center_crop": true, "crop_size": {"height": 224, "width": 224},
      "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]})")
                        .vit.picture();
  CHECK(clip.crop_mode == vit::CropMode::center);
  CHECK(clip.interpolation == vit::Interpolation::bicubic);
  CHECK(static_cast<int64_t>(224 / clip.crop_pct) == 256);
  CHECK(clip.mean == std::vector<double>{0.1, 0.2, 0.3});

  const auto old = read(folder, vit, R"({"size": 224, "do_normalize": false})").vit.picture();
  CHECK(old.crop_mode == vit::CropMode::squash);
  CHECK(old.crop_pct == 1.0);
  CHECK(old.std == std::vector<double>{1.0, 1.0, 1.0});

  CHECK_THROWS_WITH(read(folder, vit, R"({"resample": 6})"),
                    ContainsSubstring("preprocessor_config.json: resample"));
  CHECK_THROWS_WITH(read(folder, vit, R"({"size": {"shortest_edge": 0}})"),
                    ContainsSubstring("shortest_edge: 0 is out of range"));
  CHECK_THROWS_WITH(read(folder, vit, R"({"image_processor_type": "SamImageProcessor"})"),
                    ContainsSubstring("\"SamImageProcessor\" is not supported, expected one of"));
  // It gives pictures that this model does not take, which shows when the first is wanted.
  const auto other = read(folder, vit, R"({"size": 32})").vit;
  CHECK_THROWS_WITH(
      other.picture_for_input(),
      ContainsSubstring("gives pictures of 32x32 pixels, but the model takes 224x224"));
}

TEST_CASE("torchvision's weights get torchvision's preprocessing, those of SWAG theirs") {
  const test::TempDir folder;
  struct Row {
    const char* patch;
    const char* dim;
    const char* size;
    vit::Interpolation interpolation;
    int64_t resized;
  };
  using enum vit::Interpolation;
  // torchvision 0.29's ViT_B_16_Weights and so on.
  for (const auto& [patch, dim, size, interpolation, resized] :
       {Row{"16", "768", "224", bilinear, 256}, Row{"32", "768", "224", bilinear, 256},
        Row{"16", "1024", "224", bilinear, 242}, Row{"32", "1024", "224", bilinear, 256},
        Row{"16", "768", "384", bicubic, 384}, Row{"16", "1024", "512", bicubic, 512},
        Row{"14", "1280", "518", bicubic, 518}, Row{"14", "1280", "224", bicubic, 224}}) {
    CAPTURE(patch, dim, size);
    const auto how = read(folder, std::string(R"({"library": "torchvision", "model_args": {
        "patch_size": )") + patch + R"(, "hidden_dim": )" +
                                      dim + R"(, "image_size": )" + size +
                                      R"(, "num_layers": 12, "num_heads": 16, "mlp_dim": 3072}})")
                         .vit.picture();
    CHECK(how.interpolation == interpolation);
    CHECK(how.resized() == vit::Size2d{resized, resized});
    CHECK(how.mean == std::vector<double>{0.485, 0.456, 0.406});
  }
}

TEST_CASE("bare files are prepared for as the library of their names does it") {
  const std::vector<double> imagenet{0.485, 0.456, 0.406}, half{0.5, 0.5, 0.5},
      clip{0.48145466, 0.4578275, 0.40821073};
  struct Row {
    const vit::Layout& layout;
    const char* tensor;  ///< that tells whose file it is
    const std::vector<double>& mean;
    double crop_pct;
    vit::Interpolation interpolation;
  };
  using enum vit::Interpolation;
  for (const auto& [layout, tensor, mean, crop_pct, interpolation] :
       {Row{vit::kTorchvisionLayout, "conv_proj.weight", imagenet, 0.875, bilinear},
        Row{vit::kAuthorsLayout, "decoder_embed.weight", imagenet, 0.875, bicubic},
        Row{vit::kAuthorsLayout, "register_tokens", imagenet, 0.875, bicubic},
        Row{vit::kAuthorsLayout, "dino_head.mlp.0.weight", imagenet, 0.875, bicubic},
        Row{vit::kAuthorsLayout, "blocks.0.gamma_1", imagenet, 0.875, bicubic},
        Row{vit::kOpenClipLayout, "visual.conv1.weight", clip, 1.0, bicubic},
        Row{vit::kHuggingfaceLayout, "embeddings.patch_embeddings.projection.weight", half, 1.0,
            bilinear}}) {
    CAPTURE(tensor);
    vit::VitConfig config;
    layout.apply_defaults({{tensor, at::ones({1})}}, config);
    CHECK(config.picture().mean == mean);
    CHECK(config.picture().crop_pct == crop_pct);
    CHECK(config.picture().interpolation == interpolation);
    // Of other channels the average.
    config.input.channels = 2;
    layout.apply_defaults({{tensor, at::ones({1})}}, config);
    CHECK_NOTHROW(config.picture().validate(2));
  }
}

TEST_CASE("labels of the transformers library name classes unless nobody named them") {
  const test::TempDir folder;
  const auto config = read(folder, R"({"model_type": "vit",
      "architectures": ["ViTForImageClassification"], "id2label": {"1": "dog", "0": "cat"}})");
  CHECK(config.labels == std::vector<std::string>{"cat", "dog"});
  CHECK(config.vit.head.num_classes == 2);
  CHECK(read(folder, R"({"model_type": "vit", "architectures": ["ViTForImageClassification"],
                         "id2label": {"0": "LABEL_0", "1": "LABEL_1"}})")
            .labels.empty());
  CHECK_THROWS_WITH(read(folder, R"({"model_type": "vit", "id2label": {"0": "a", "2": "b"}})"),
                    ContainsSubstring("gaps"));
  CHECK_THROWS_WITH(read(folder, R"({"model_type": "vit", "architectures": ["ViTForPainting"]})"),
                    ContainsSubstring("\"ViTForPainting\" is not supported"));
  CHECK_THROWS_WITH(read(folder, R"({"model_type": "bert"})"), ContainsSubstring("model_type"));
}
