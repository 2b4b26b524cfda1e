// Classifiers where users' code puts them, under the names that it gives them.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/vision_transformer.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

namespace {

/// Bare weights of a small model of 64 channels with a head of five classes.
vit::StateDict timm_weights() {
  vit::VitConfig config;
  config.set_image_size({16, 16});
  config.patch.set_size({8, 8});
  config.block.dim = 64;
  config.block.mlp.hidden_dim = 96;
  config.block.attention.num_heads = 1;
  config.depth = 1;
  config.head.num_classes = 5;
  vit::VisionTransformer model(vit::ModelConfig{config, {}});
  model->init_weights(1);
  vit::StateDict weights;
  for (const auto& item : model->named_parameters()) weights[item.key()] = item.value().detach();
  return weights;
}

struct Loaded {
  vit::VisionTransformer model{nullptr};
  std::string warnings;
};

Loaded load(const vit::StateDict& weights, std::optional<int64_t> num_classes = std::nullopt,
            bool strict = true) {
  const test::TempDir folder;
  const auto file = folder / "x.safetensors";
  vit::write_safetensors(file, weights);
  Loaded loaded;
  vit::LoadOptions options{.architecture = {}, .num_classes = num_classes, .strict = strict};
  options.on_warning = [&](const std::string& text) { loaded.warnings += text + "\n"; };
  loaded.model = vit::load(file, options);
  return loaded;
}

/// The weights with those whose names start with `from` under another start.
vit::StateDict moved(vit::StateDict weights, const std::string& from, const std::string& to) {
  vit::StateDict result;
  for (auto& [name, tensor] : weights)
    result[name.starts_with(from) ? to + name.substr(from.size()) : name] = tensor;
  return result;
}

vit::StateDict under(const std::string& prefix, const vit::StateDict& weights) {
  return moved(weights, "", prefix);
}

vit::StateDict without_head(vit::StateDict weights) {
  std::erase_if(weights, [](const auto& item) { return item.first.starts_with("head."); });
  return weights;
}

/// Whether the model has this classifier and can run.
void check_head(const Loaded& loaded, const at::Tensor& weight, const at::Tensor& bias) {
  const auto parameters = loaded.model->named_parameters();
  CHECK(test::same(parameters["head.weight"], weight));
  CHECK(test::same(parameters["head.bias"], bias));
}

}  // namespace

TEST_CASE("one linear layer in the place of the head is the head, whatever it is called") {
  const auto weights = timm_weights();
  const auto weight = weights.at("head.weight"), bias = weights.at("head.bias");
  for (const std::string name : {"fc.", "heads.", "classifier.", "head.1.", "head.fc.", "mlp_head.",
                                 "heads.head.0.", "classifier.3.", "cls_head.linear.", "linear."}) {
    CAPTURE(name);
    const auto inside = load(moved(weights, "head.", name));
    check_head(inside, weight, bias);
    CHECK_THAT(inside.warnings, !ContainsSubstring("is taken for its head"));
    check_head(load(under("net.", moved(weights, "head.", name))), weight, bias);
    // In the module around the one that holds the model.
    auto beside = under("model.backbone.", without_head(weights));
    beside.merge(moved({{"head.weight", weight}, {"head.bias", bias}}, "head.", "model." + name));
    const auto found = load(beside);
    check_head(found, weight, bias);
    CHECK_THAT(found.warnings, ContainsSubstring("\"model." + name +
                                                 "weight\", beside the model "
                                                 "under \"model.backbone.\", is taken for its"));
  }
}

TEST_CASE("heads of the other libraries' models that people have replaced") {
  struct Library {
    const char* model;
    std::string head;
    std::vector<std::string> names;
  };
  for (const auto& [model, head, names] : std::vector<Library>{
           {"vit/torchvision_vit",
            "heads.head.",
            {"heads.", "heads.0.", "heads.1.", "heads.head.1.", "head.", "fc."}},
           {"vit/hf_vit",
            "classifier.",
            {"classifier.1.", "classifier.linear.", "fc.", "head.", "vit.classifier."}}}) {
    const auto source = test::data(model);
    const auto weights = vit::read_safetensors(source / "model.safetensors");
    const test::TempDir folder;
    std::filesystem::copy_file(source / "config.json", folder / "config.json");
    for (const std::string& name : names) {
      CAPTURE(model, name);
      vit::write_safetensors(folder / "model.safetensors", moved(weights, head, name));
      check_head({vit::load(folder.path()), ""}, weights.at(head + "weight"),
                 weights.at(head + "bias"));
    }
  }
}

TEST_CASE("a head without a bias, and one that reads class token and mean together") {
  auto weights = timm_weights();
  weights.erase("head.bias");
  CHECK(!load(moved(weights, "head.", "fc.")).model->config().head.bias);
  weights["head.weight"] = at::ones({3, 128});
  const auto both = load(moved(weights, "head.", "head.1."));
  CHECK(both.model->config().head.pooling == vit::Pooling::cls_avg);
  CHECK(both.model->config().head.num_classes == 3);
}

TEST_CASE("heads of several layers cannot be computed, but replaced") {
  const auto backbone = without_head(timm_weights());
  const vit::StateDict layers{{"0.weight", at::ones({16, 64})},
                              {"0.bias", at::ones({16})},
                              {"2.weight", at::ones({3, 16})},
                              {"2.bias", at::ones({3})}};
  const vit::StateDict norm{
      {"0.weight", at::ones({64})}, {"0.bias", at::ones({64})}, {"1.weight", at::ones({3, 64})}};
  for (const auto& head : {layers, norm})
    for (const std::string place : {"head.", "mlp_head.", "classifier."}) {
      CAPTURE(place);
      auto weights = backbone;
      weights.merge(under(place, head));
      CHECK_THROWS_WITH(load(weights), ContainsSubstring("head is more than one linear layer: \"" +
                                                         place + "0.weight\" [") &&
                                           ContainsSubstring("LoadOptions::num_classes"));
      const auto replaced = load(weights, 3);
      CHECK(replaced.model->config().head.num_classes == 3);
      CHECK_THAT(replaced.warnings, ContainsSubstring("the head \"" + place + "0.weight\" [") &&
                                        ContainsSubstring("is replaced by one of 3 classes"));
      CHECK(load(weights, 0).model->config().head.num_classes == 0);
      const auto lenient = load(weights, std::nullopt, false);
      CHECK(lenient.model->config().head.num_classes == 0);
      CHECK_THAT(lenient.warnings, ContainsSubstring("its head is left out: \"" + place));
      const test::TempDir folder;
      vit::write_safetensors(folder / "x.safetensors", weights);
      const auto backbone_alone = vit::load(folder / "x.safetensors", {.replaces_head = true});
      CHECK(backbone_alone->config().head.num_classes == 0);
      // Beside the model the same is true.
      auto beside = under("vit.", backbone);
      beside.merge(under(place, head));
      CHECK_THROWS_WITH(load(beside), ContainsSubstring("more than one linear layer"));
      CHECK(load(beside, 7).model->config().head.num_classes == 7);
    }
}

TEST_CASE("of several heads the number of classes tells which is meant") {
  const auto weights = timm_weights();
  auto wrapper = under("backbone.", weights);
  const auto three = at::full({3, 64}, 0.5), bias = at::zeros({3});
  wrapper["classifier.weight"] = three;
  wrapper["classifier.bias"] = bias;
  CHECK_THROWS_WITH(load(wrapper), ContainsSubstring("nothing tells which of these is its head") &&
                                       ContainsSubstring("\"classifier.weight\" [3, 64]") &&
                                       ContainsSubstring("\"head.weight\" [5, 64]"));
  const auto chosen = load(wrapper, 3);
  check_head(chosen, three, bias);
  CHECK_THAT(chosen.warnings,
             ContainsSubstring("left out, beside the head: \"head.weight\" [5, 64]"));
  check_head(load(wrapper, 5), weights.at("head.weight"), weights.at("head.bias"));
  CHECK_THAT(load(wrapper, 4).warnings, ContainsSubstring("replaced by one of 4 classes"));

  // One behind the other: what lies between them is not in the file.
  wrapper["classifier.weight"] = at::ones({3, 5});
  CHECK_THROWS_WITH(load(wrapper), ContainsSubstring("or what lies between them"));
}

TEST_CASE("a classifier of other features is not taken for the head") {
  auto wrapper = under("backbone.", without_head(timm_weights()));
  wrapper["fc.weight"] = at::ones({3, 24});
  CHECK_THROWS_WITH(load(wrapper), ContainsSubstring("its head \"fc.weight\" [3, 24] does not read "
                                                     "the 64 channels of the model"));
  CHECK(load(wrapper, 3).model->config().head.num_classes == 3);
  // Nor is a head that classifies nothing, or what lies deep in another module.
  wrapper.erase("fc.weight");
  wrapper["proj_head.weight"] = at::ones({3, 64});
  wrapper["decoder.output.dense.weight"] = at::ones({64, 64});
  const auto headless = load(wrapper);
  CHECK(headless.model->config().head.num_classes == 0);
  CHECK_THAT(headless.warnings, ContainsSubstring("decoder.output.dense.weight, proj_head.weight"));
}

TEST_CASE("a representation layer in front of the head is part of it") {
  auto weights = timm_weights();
  weights["pre_logits.fc.weight"] = at::ones({64, 64});
  weights["pre_logits.fc.bias"] = at::ones({64});
  CHECK_THROWS_WITH(load(weights), ContainsSubstring("\"pre_logits.fc.weight\" [64, 64]"));
  CHECK(load(weights, 4).model->config().head.num_classes == 4);
}
