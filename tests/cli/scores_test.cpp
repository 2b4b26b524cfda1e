#include "tests/cli/process.h"
#include "tests/cli/training.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/save.h>
#include <vit/weights/files/safetensors.h>

// What becomes of logits: softmax, sigmoid or nothing, and what is said of those that mean nothing.

using Catch::ContainsSubstring;
using test::vitome;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

const std::string& photo() {
  static const std::string path = test::data("scores/photo.png").string();
  return path;
}

/// The scores of a picture by the number of its class.
std::map<int, double> scores(const fs::path& model, Words more = {},
                             const std::string& picture = photo()) {
  Words words = {"classify", picture, "--model", model.string(), "--json", "-"};
  words.insert(words.end(), more.begin(), more.end());
  const auto run = vitome(words);
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  std::map<int, double> scores;
  const auto lines = test::json_lines(run.out);
  for (const auto& prediction : lines.at(0).at("predictions"))
    scores[prediction.at("index")] = prediction.at("score");
  return scores;
}

/// The model of several labels with another problem_type.
void copy_model(const fs::path& to, const nlohmann::json& problem_type) {
  fs::copy(test::data("scores/multi_label"), to);
  auto config = test::read_json(to / "config.json");
  config["problem_type"] = problem_type;
  std::ofstream(to / "config.json") << config;
}

double logit(int index) {
  return test::read_json(test::data("scores/expected.json")).at("logits").at(index);
}

/// A model whose head has an infinite weight, as float16 has it where a number was too large.
fs::path overflowed_model(const test::TempDir& folder) {
  const auto model = vit::load(test::data("scores/multi_label"));
  model->named_parameters()["head.weight"][1][5] = std::numeric_limits<float>::infinity();
  vit::save(model, folder / "overflowed");
  return folder / "overflowed";
}

constexpr double kTolerance = 1e-4;  // of what a float16 checkpoint gives elsewhere, five digits

}  // namespace

TEST_CASE("classify gives a multi-label model's classes a sigmoid each") {
  const auto expected = test::read_json(test::data("scores/expected.json")).at("scores");
  const auto got = scores(test::data("scores/multi_label"));
  REQUIRE(got.size() == expected.size());
  for (int i = 0; i < 3; ++i) CHECK(std::abs(got.at(i) - expected[i].get<double>()) < kTolerance);
  const auto text = vitome(
      {"classify", photo(), "--model", test::data("scores/multi_label").string(), "--top", "2"});
  CHECK_THAT(text.out, ContainsSubstring("dog 57.7%, sofa 53.1%"));
}

TEST_CASE("classify reads problem_type, and --activation overrides it") {
  const test::TempDir folder;
  copy_model(folder / "single", "single_label_classification");
  copy_model(folder / "regression", "regression");
  copy_model(folder / "unsaid", nullptr);
  double sum = 0;
  for (int i = 0; i < 3; ++i) sum += std::exp(logit(i));
  const auto is = [](const std::map<int, double>& got, auto expected) {
    for (int i = 0; i < 3; ++i) CHECK(std::abs(got.at(i) - expected(i)) < kTolerance);
  };
  const auto softmax = [&](int i) { return std::exp(logit(i)) / sum; };
  const auto sigmoid = [](int i) { return 1 / (1 + std::exp(-logit(i))); };
  is(scores(folder / "single"), softmax);
  is(scores(folder / "unsaid"), softmax);
  is(scores(folder / "regression"), logit);
  is(scores(folder / "regression", {"--activation", "softmax"}), softmax);
  is(scores(folder / "single", {"--activation", "sigmoid"}), sigmoid);
  is(scores(test::data("scores/multi_label"), {"--activation", "none"}), logit);

  // What is no probability is no percentage.
  const auto text = vitome({"classify", photo(), "--model", (folder / "regression").string()});
  CHECK_THAT(text.out, ContainsSubstring("dog 0.3096") && !ContainsSubstring("%"));
  const auto wrong = vitome({"classify", photo(), "--activation", "tanh"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.err, ContainsSubstring("softmax, sigmoid, none"));
}

TEST_CASE("a head of one class gets a sigmoid") {
  const test::TempDir folder;
  vit::save(vit::load(test::data("scores/multi_label"), {.num_classes = 1}), folder / "one");
  auto config = test::read_json(folder / "one/config.json");
  config.erase("problem_type");
  std::ofstream(folder / "one/config.json") << config;
  const double raw = scores(folder / "one", {"--activation", "none"}).at(0);
  CHECK(raw != 0);
  CHECK(std::abs(scores(folder / "one").at(0) - 1 / (1 + std::exp(-raw))) < 1e-6);
}

TEST_CASE("convert and inspect keep and show how logits become scores") {
  const test::TempDir folder;
  const auto output = folder / "converted";
  REQUIRE(vitome({"convert", "--model", test::data("scores/multi_label").string(), "--output",
                  output.string()})
              .status == 0);
  CHECK(test::read_json(output / "config.json").at("problem_type") == "multi_label_classification");
  const auto inspected = vitome({"inspect", "--model", output.string(), "--json", "-"});
  const auto json = nlohmann::json::parse(inspected.out);
  CHECK(json.at("scores") == "sigmoid");
  CHECK(json.at("not_finite").empty());
  CHECK_THAT(vitome({"inspect", "--model", output.string()}).out,
             ContainsSubstring("scores by sigmoid"));
}

TEST_CASE("eval scores as the model does") {
  const test::TempDir folder;
  fs::create_directories(folder / "data/dog");
  fs::create_directories(folder / "data/cat");
  fs::copy_file(photo(), folder / "data/dog/1.png");
  fs::copy_file(photo(), folder / "data/cat/1.png");
  const auto eval = [&](const fs::path& model, Words more = {}) {
    Words words = {"eval", (folder / "data").string(), "--model", model.string(), "--json", "-"};
    words.insert(words.end(), more.begin(), more.end());
    return vitome(words);
  };
  const auto run = eval(test::data("scores/multi_label"));
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto document = nlohmann::json::parse(run.out);
  CHECK(document.at("scores") == "sigmoid");
  const auto& result = document.at("results")[0];
  double loss = 0;  // of a picture that is taken for a dog, half of the time rightly
  const auto entropy = [](int i, bool is) {
    return std::log1p(std::exp(is ? -logit(i) : logit(i)));
  };
  for (int i = 0; i < 3; ++i) loss += (entropy(i, i == 0) + entropy(i, i == 1)) / 6;
  CHECK(std::abs(result.at("loss").get<double>() - loss) < kTolerance);
  const double confidence = 1 / (1 + std::exp(-logit(1)));
  CHECK(std::abs(result.at("ece").get<double>() - (confidence - 0.5)) < kTolerance);

  copy_model(folder / "regression", "regression");
  const auto refused = eval(folder / "regression");
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring("--activation"));
  const auto asked = eval(folder / "regression", {"--activation", "softmax"});
  CHECK(asked.status == 0);
  CHECK(nlohmann::json::parse(asked.out).at("scores") == "softmax");
  CHECK(eval(test::data("scores/multi_label"), {"--activation", "none"}).status == 2);
}

TEST_CASE("logits that are not finite are an error of their picture") {
  const test::TempDir folder;
  const std::string model = overflowed_model(folder).string();
  const auto json = vitome({"classify", photo(), "--model", model, "--json", "-"});
  CHECK(json.status == 1);
  const auto line = test::json_lines(json.out).at(0);
  CHECK_FALSE(line.contains("predictions"));
  CHECK_THAT(line.at("error").get<std::string>(),
             ContainsSubstring(photo()) && ContainsSubstring("not finite"));
  const auto text = vitome({"classify", photo(), "--model", model});
  CHECK(text.status == 1);
  CHECK_THAT(text.out, !ContainsSubstring("nan"));
  CHECK_THAT(text.err, ContainsSubstring("1 failed"));

  fs::create_directories(folder / "data/dog");
  fs::copy_file(photo(), folder / "data/dog/1.png");
  const auto eval = vitome({"eval", (folder / "data").string(), "--model", model});
  CHECK(eval.status == 1);
  CHECK_THAT(eval.err, ContainsSubstring("dog/1.png: the model computes logits that are not"));

  const auto forward = vitome({"forward", "--input", photo(), "--model", model, "--output",
                               (folder / "out.safetensors").string()});
  CHECK(forward.status == 1);
  CHECK_THAT(forward.err, ContainsSubstring("for 1 of 1 inputs"));

  const auto bench = vitome(
      {"bench", "--model", model, "--r", "0", "--seconds", "0.01", "--batch", "2", "--json", "-"});
  CHECK(bench.status == 1);
  CHECK_THAT(bench.err, ContainsSubstring("for 2 of 2 inputs") && ContainsSubstring("not finite"));
  const auto result = nlohmann::json::parse(bench.out).at("results")[0];
  CHECK(result.at("top1_agreement") == 0);
  CHECK(result.at("not_finite") == 2);
}

TEST_CASE("a picture without an answer does not spoil those that have one") {
  // Of two pictures the head answers the second one with a number that float32 cannot hold.
  const test::TempDir folder;
  const std::string good = test::data("media/image/small_cat.jpg").string();
  const std::string bad = test::data("media/image/small_ship.jpg").string();
  std::map<std::string, at::Tensor> features;
  for (const auto& file : {good, bad}) {
    const auto out = (folder / "out.safetensors").string();
    REQUIRE(vitome({"forward", "--input", file, "--output", out}).status == 0);
    features[file] = vit::read_safetensors(out).at("pooled")[0].clone();
  }
  // One feature decides, of which the second picture has much and the first one little or less.
  const at::Tensor a = features[good], b = features[bad];
  const auto place = (b - a).argmax().item<int64_t>();
  const double little = a[place].item<double>(), much = b[place].item<double>();
  REQUIRE(much > 0.3);
  REQUIRE(little < 0.3 * much);
  const at::NoGradGuard no_grad;
  const auto model = vit::load(fs::path(VITOME_SHIPPED_MODELS) / "cifar10-vit");
  model->named_parameters()["head.weight"][4][place] = 1e38 / much;
  model->named_parameters()["head.bias"][4] = 3e38;
  vit::save(model, folder / "model");

  const std::string path = (folder / "model").string();
  const auto run = vitome({"classify", bad, good, bad, "--model", path, "--json", "-"});
  CHECK(run.status == 1);
  const auto lines = test::json_lines(run.out);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].contains("error"));
  CHECK(lines[1].contains("predictions"));
  CHECK(lines[2].contains("error"));

  std::ofstream(folder / "list.csv") << "file,label\n" << bad << ",ship\n" << good << ",cat\n";
  const auto eval =
      vitome({"eval", (folder / "list.csv").string(), "--model", path, "--json", "-"});
  CHECK(eval.status == 1);
  const auto document = nlohmann::json::parse(eval.out);
  REQUIRE(document.at("failures").size() == 1);
  CHECK(document.at("failures")[0].at("file") == bad);
  CHECK(document.at("results")[0].at("pictures") == 1);
}

TEST_CASE("weights that are not finite are named where a checkpoint is looked at") {
  const test::TempDir folder;
  const std::string model = overflowed_model(folder).string();
  const auto inspected = vitome({"inspect", "--model", model, "--json", "-"});
  CHECK(inspected.status == 0);
  CHECK(nlohmann::json::parse(inspected.out).at("not_finite") == Words{"head.weight"});
  CHECK_THAT(vitome({"inspect", "--model", model}).out,
             ContainsSubstring("NaN or infinity in head.weight"));
  for (const char* dtype : {"fp32", "fp16"}) {
    const auto converted = vitome(
        {"convert", "--model", model, "--dtype", dtype, "--output", (folder / dtype).string()});
    CHECK(converted.status == 0);
    CHECK_THAT(converted.err, ContainsSubstring("weights hold NaN or infinity (head.weight)"));
  }

  // Numbers that were finite are not made infinite.
  const auto large = vit::load(test::data("scores/multi_label"));
  large->named_parameters()["head.weight"][1][5] = 1e6;
  vit::save(large, folder / "large");
  const auto refused = vitome({"convert", "--model", (folder / "large").string(), "--dtype", "fp16",
                               "--output", (folder / "half").string()});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring("head.weight") && ContainsSubstring("fp16"));
  CHECK_FALSE(fs::exists(folder / "half"));
}

TEST_CASE("train says in the model whether its classes exclude each other") {
  const test::TempDir folder;
  test::write_pictures(folder / "data", {"red", "green", "blue"}, 4);
  std::ofstream list(folder / "data/list.csv");
  list << "file,labels\n";
  for (const char* colour : {"red", "green", "blue"})
    for (int i = 0; i < 4; ++i)
      list << colour << "/" << i << ".ppm," << colour << (i ? "\n" : ";other\n");
  list.close();
  Words more = test::small_model();
  more[3] = "1";  // epochs
  more[7] = "0";  // of which so many warm up
  const auto train = [&](const fs::path& data, const fs::path& output, Words with = {}) {
    Words words = test::train_words(data, output, with.empty() ? more : with);
    const auto run = vitome(words);
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    return test::read_json(output / "config.json");
  };
  const auto many = train(folder / "data/list.csv", folder / "many");
  CHECK(many.at("problem_type") == "multi_label_classification");
  CHECK_THAT(test::read_text(folder / "many/README.md"), ContainsSubstring("sigmoid"));
  const std::string picture = (folder / "data/red/1.ppm").string();
  const auto logits = scores(folder / "many", {"--activation", "none"}, picture);
  REQUIRE(logits.size() == 4);
  for (const auto& [index, score] : scores(folder / "many", {}, picture))
    CHECK(std::abs(score - 1 / (1 + std::exp(-logits.at(index)))) < 1e-6);

  // One class for each picture, also where the model had several.
  fs::remove(folder / "data/list.csv");
  CHECK_FALSE(train(folder / "data", folder / "one").contains("problem_type"));
  CHECK_FALSE(
      train(folder / "data", folder / "tuned",
            {"--model", (folder / "many").string(), "--epochs", "1", "--warmup-epochs", "0"})
          .contains("problem_type"));
}
