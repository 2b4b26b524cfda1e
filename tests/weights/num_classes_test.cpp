// Heads of another number of classes than the config or the user says.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <fstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

namespace {

/// What load() says, and the model.
struct Loaded {
  vit::VisionTransformer model{nullptr};
  std::vector<std::string> warnings;
};

Loaded load(const std::filesystem::path& path, vit::LoadOptions options) {
  Loaded loaded;
  options.on_warning = [&](const std::string& text) {
    // How these models want their pictures is another subject.
    if (text.find("how pictures are prepared") == text.npos) loaded.warnings.push_back(text);
  };
  loaded.model = vit::load(path, options);
  return loaded;
}

}  // namespace

TEST_CASE("a head of another number of classes is an error that says what to do") {
  const auto folder = test::data("hostile/config/timm_classes_other");
  CHECK_THROWS_WITH(vit::load(folder), ContainsSubstring((folder / "model.safetensors").string()) &&
                                           ContainsSubstring("num_classes") &&
                                           ContainsSubstring("\"head.weight\"") &&
                                           ContainsSubstring("LoadOptions::num_classes"));
  // Either of the two numbers resolves it: that of the weights keeps their head.
  const auto weights = vit::read_safetensors(folder / "model.safetensors");
  const int64_t classes = weights.at("head.weight").size(0);
  const auto kept = load(folder, {.num_classes = classes});
  CHECK(kept.warnings.empty());
  CHECK(test::same(kept.model->named_parameters()["head.weight"], weights.at("head.weight")));
  const auto replaced = load(folder, {.num_classes = classes + 2});
  CHECK(replaced.warnings.size() == 1);
  CHECK(replaced.model->config().head.num_classes == classes + 2);
}

TEST_CASE("errors and warnings about a head name it as its file does") {
  const auto folder = test::data("hostile/config/hf_labels_short");
  CHECK_THROWS_WITH(vit::load(folder), ContainsSubstring("num_classes 3, but tensor "
                                                         "\"classifier.weight\" has 5"));
  CHECK_THAT(load(folder, {.num_classes = 4}).warnings.at(0),
             ContainsSubstring("the head \"classifier.weight\" of 5 classes"));
  CHECK_THAT(load(test::data("vit/torchvision_vit"), {.num_classes = 11}).warnings.at(0),
             ContainsSubstring("\"heads.head.weight\""));
  CHECK_THAT(load(test::data("vit/hf_clip"), {.num_classes = 11}).warnings.at(0),
             ContainsSubstring("\"visual_projection.weight\""));
  CHECK_THAT(load(test::data("families/open_clip"), {.num_classes = 11}).warnings.at(0),
             ContainsSubstring("\"visual.proj\""));
}

TEST_CASE("another number of classes replaces the head and nothing else") {
  const std::string name = GENERATE(as<std::string>{}, "timm_vit_cls", "timm_deit_distilled",
                                    "timm_siglip_map", "hf_dinov2", "hf_clip", "torchvision_vit");
  CAPTURE(name);
  const auto folder = test::data("vit") / name;
  const auto original = vit::load(folder);
  const auto [model, warnings] = load(folder, {.num_classes = 11});
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], ContainsSubstring(folder.string()) &&
                              ContainsSubstring("11 classes with random weights"));
  const auto before = original->named_parameters();
  for (const auto& parameter : model->named_parameters()) {
    INFO(parameter.key());
    if (parameter.key().starts_with("head")) {
      CHECK(parameter.value().size(0) == 11);
      CHECK(parameter.value().isfinite().all().item<bool>());
      CHECK(parameter.value().abs().max().item<double>() < 0.05);
    } else {
      CHECK(test::same(parameter.value(), before[parameter.key()]));
    }
  }
  CHECK(model->labels().empty());
  const at::NoGradGuard no_grad;
  const auto input = vit::read_safetensors(folder / "io.safetensors").at("input");
  CHECK(model->forward(input).size(-1) == 11);

  const auto headless = load(folder, {.num_classes = 0});
  CHECK(headless.warnings.empty());
  CHECK(test::same(headless.model->forward_all(input).pooled, original->forward_all(input).pooled));
}

TEST_CASE("the number of classes that is there changes nothing") {
  const auto folder = test::data("hostile/config/timm_valid");
  const auto [model, warnings] = load(folder, {.num_classes = 5});
  CHECK(warnings.empty());
  CHECK(test::same(model->named_parameters()["head.weight"],
                   vit::load(folder)->named_parameters()["head.weight"]));
}

TEST_CASE("weights without a head get one, and a thousand untrained classes no names") {
  const test::TempDir folder;
  const auto source = test::data("hostile/config/timm_valid");
  auto weights = vit::read_safetensors(source / "model.safetensors");
  weights.erase("head.weight");
  weights.erase("head.bias");
  std::filesystem::copy_file(source / "config.json", folder / "config.json");
  vit::write_safetensors(folder / "model.safetensors", weights);
  CHECK_THROWS_WITH(vit::load(folder.path()),
                    ContainsSubstring("missing (2): head.weight, head.bias"));
  const auto [model, warnings] = load(folder.path(), {.num_classes = 1000});
  CHECK(warnings.size() == 1);
  CHECK(model->config().head.num_classes == 1000);
  CHECK(model->labels().empty());
}

TEST_CASE("numbers of classes that cannot be are refused") {
  const auto folder = test::data("hostile/config/timm_valid");
  CHECK_THROWS_AS(vit::load(folder, {.num_classes = -1}), vit::Error);
  CHECK_THROWS_AS(vit::load(folder, {.num_classes = int64_t{1} << 40}), vit::Error);
  CHECK(vit::create("test_vit", {.num_classes = 7})->config().head.num_classes == 7);
}
