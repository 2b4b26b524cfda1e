#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_config.h"

#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/save.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/not_finite.h>

using Catch::ContainsSubstring;
using vit::ScoreKind;

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// A config.json of the transformers library's ViT with so many classes and `more`.
vit::ModelConfig read_vit(int classes, const std::string& more) {
  const test::TempDir folder;
  std::string labels;
  for (int i = 0; i < classes; ++i)
    labels += (i ? ", \"" : "\"") + std::to_string(i) + "\": \"class " + std::to_string(i) + "\"";
  write(folder / "config.json",
        R"({"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": {)" +
            labels + "}" + more + "}");
  return vit::read_config(folder / "config.json");
}

vit::ModelConfig read_timm(const std::string& more) {
  const test::TempDir folder;
  write(folder / "config.json",
        R"({"architecture": "vit_tiny_patch16_224", "num_classes": 3)" + more + "}");
  return vit::read_config(folder / "config.json");
}

vit::VisionTransformer tiny_model(int64_t classes = 3) {
  auto config = test::tiny_config({16, 16});
  config.vit.head.num_classes = classes;
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  return model;
}

}  // namespace

TEST_CASE("problem_type says how logits become scores, else the number of classes does") {
  CHECK(read_vit(3, "").score_kind() == ScoreKind::softmax);
  CHECK(read_vit(1, "").score_kind() == ScoreKind::sigmoid);
  CHECK(read_vit(3, R"(, "problem_type": null)").score_kind() == ScoreKind::softmax);
  CHECK(read_vit(3, R"(, "problem_type": "single_label_classification")").score_kind() ==
        ScoreKind::softmax);
  for (const int classes : {1, 3}) {
    CHECK(read_vit(classes, R"(, "problem_type": "multi_label_classification")").score_kind() ==
          ScoreKind::sigmoid);
    CHECK(read_vit(classes, R"(, "problem_type": "regression")").score_kind() == ScoreKind::none);
  }
  CHECK_THROWS_WITH(read_vit(1, R"(, "problem_type": "single_label_classification")"),
                    ContainsSubstring("config.json: problem_type"));
  CHECK_THROWS_WITH(read_vit(3, R"(, "problem_type": "multi_label")"),
                    ContainsSubstring("config.json: problem_type") &&
                        ContainsSubstring("multi_label_classification"));
  CHECK_THROWS_WITH(read_vit(3, R"(, "problem_type": 1)"), ContainsSubstring("problem_type"));
}

TEST_CASE("timm's models have a problem_type where the transformers library wrapped them") {
  CHECK(read_timm("").score_kind() == ScoreKind::softmax);
  CHECK(read_timm(R"(, "model_type": "timm_wrapper",
                     "problem_type": "multi_label_classification")")
            .score_kind() == ScoreKind::sigmoid);
}

TEST_CASE("how logits become scores is saved with a model") {
  const std::optional<ScoreKind> scores =
      GENERATE(std::optional<ScoreKind>(), std::optional(ScoreKind::softmax),
               std::optional(ScoreKind::sigmoid), std::optional(ScoreKind::none));
  const test::TempDir folder;
  auto model = tiny_model();
  model->set_scores(scores);
  vit::save(model, folder.path());
  CHECK(vit::load(folder.path())->model_config().scores == scores);
  CHECK(test::read_json(folder / "config.json").contains("problem_type") == scores.has_value());
}

TEST_CASE("a head of another number of classes keeps what still makes sense") {
  const test::TempDir folder;
  const auto kind = [&](ScoreKind scores, int64_t classes) {
    auto model = tiny_model();
    model->set_scores(scores);
    vit::save(model, folder.path());
    return vit::load(folder.path(), {.num_classes = classes})->score_kind();
  };
  CHECK(kind(ScoreKind::sigmoid, 5) == ScoreKind::sigmoid);
  CHECK(kind(ScoreKind::softmax, 5) == ScoreKind::softmax);
  CHECK(kind(ScoreKind::softmax, 1) == ScoreKind::sigmoid);
}

TEST_CASE("a model with several labels has the transformers library's scores") {
  const auto model = vit::load(test::data("scores/multi_label"));
  CHECK(model->score_kind() == ScoreKind::sigmoid);
  CHECK(model->labels() == std::vector<std::string>{"cat", "dog", "sofa"});
}

TEST_CASE("weights that hold NaN or infinity are named") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  vit::StateDict weights;
  for (const auto type :
       {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kComplexFloat, at::kFloat8_e5m2}) {
    const std::string name = c10::toString(type);
    weights["good " + name] = at::ones({4, 5}).to(type);
    for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
      auto tensor = at::ones({4, 5});
      tensor[2][3] = bad;
      weights["bad " + name + std::to_string(bad)] = tensor.to(type);
    }
  }
  weights["both"] = at::tensor({kInfinity, -kInfinity});
  // Only the sum of these is not finite.
  weights["good, large"] = at::full({1000}, 3e38);
  weights["good, large half"] = at::full({1000}, 6e4, at::kHalf);
  weights["good, whole"] = at::ones({3}, at::kLong);
  weights["good, none"] = at::empty({0});
  for (const auto& [name, tensor] : weights) {
    CAPTURE(name);
    CHECK(vit::is_finite(tensor) == name.starts_with("good"));
  }
  CHECK(vit::not_finite(weights).size() == 6 * 3 + 1);
}

TEST_CASE("a type that cannot hold the weights is refused when a model is saved") {
  const test::TempDir folder;
  auto model = tiny_model();
  {
    const at::NoGradGuard no_grad;
    model->named_parameters()["head.weight"][1][2] = 1e6;
  }
  CHECK_THROWS_WITH(vit::save(model, folder / "half", at::kHalf),
                    ContainsSubstring("\"head.weight\"") && ContainsSubstring("fp16"));
  CHECK_FALSE(std::filesystem::exists(folder / "half"));
  vit::save(model, folder / "bf16", at::kBFloat16);
  // What is not finite in the first place is saved as it is.
  {
    const at::NoGradGuard no_grad;
    model->named_parameters()["head.weight"][1][2] = std::numeric_limits<float>::infinity();
  }
  vit::save(model, folder / "half", at::kHalf);
  CHECK_FALSE(vit::not_finite(vit::read_safetensors(folder / "half/model.safetensors")).empty());
}
