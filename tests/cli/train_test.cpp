#include "tests/cli/process.h"
#include "tests/cli/training.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/weights/files/read.h>

using Catch::ContainsSubstring;
using test::vitome;
namespace fs = std::filesystem;

using test::small_model;
using test::write_pictures;

TEST_CASE("train makes a model of a folder of pictures, and classify knows them by it") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green", "blue"}, 16);
  std::vector<std::string> words =
      test::train_words(folder / "data", folder / "out", small_model());
  for (const char* word : {"--val-split", "0.25", "--json", "-"}) words.emplace_back(word);
  const auto run = vitome(words);
  INFO(run.err);
  REQUIRE(run.status == 0);
  const auto json = nlohmann::json::parse(test::read_text(folder / "out/run/metrics.csv").empty()
                                              ? "{}"
                                              : run.out.substr(run.out.find("{\n")));
  CHECK(json.at("epochs") == 5);
  CHECK(json.at("steps") == 20);  // 36 of 48 pictures, four batches
  CHECK(json.at("top1").get<double>() > 0.9);
  CHECK(json.at("history").size() == 5);
  CHECK_THAT(test::read_text(folder / "out/README.md"),
             ContainsSubstring("--model-args 'img_size=16 patch_size=4"));

  const auto classified = vitome({"classify", (folder / "data/red").string(), "--model",
                                  (folder / "out").string(), "--top", "1", "--json", "-"});
  REQUIRE(classified.status == 0);
  int red = 0;
  for (const auto& line : test::json_lines(classified.out))
    red += line.at("predictions").at(0).at("label") == "red";
  CHECK(red >= 15);
}

TEST_CASE("an interrupted training run goes on as if nothing had happened") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green"}, 20);
  REQUIRE(vitome(test::train_words(folder / "data", folder / "whole", small_model())).status == 0);

  std::vector<std::string> words =
      test::train_words(folder / "data", folder / "parts", small_model());
  const auto stopped =
      vitome(words, {.interrupt_at_file = folder / "parts" / "run" / "checkpoint.safetensors",
                     .interrupt_signal = SIGTERM});
  if (stopped.status == 0)
    WARN("the run was over before it could be interrupted");
  else
    CHECK(stopped.status == 143);
  const auto refused = vitome(words);
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring("(--resume)") && ContainsSubstring("(--overwrite)"));
  words.emplace_back("--resume");
  REQUIRE(vitome(words).status == 0);
  const auto whole = vit::read_weights(folder / "whole" / "model.safetensors");
  for (const auto& [name, tensor] : vit::read_weights(folder / "parts" / "model.safetensors")) {
    INFO(name);
    CHECK(at::equal(tensor, whole.at(name)));
  }
  words.emplace_back("--lr");
  words.emplace_back("0.5");
  const auto other = vitome(words);
  CHECK(other.status == 1);
  CHECK_THAT(other.err, ContainsSubstring("lr was 0.01 and is 0.5 now"));
}

TEST_CASE("fine-tuning puts a head for other classes on a model, and a probe trains only that") {
  const test::TempDir folder;
  write_pictures(folder / "first", {"red", "green", "blue"}, 8);
  REQUIRE(vitome(test::train_words(folder / "first", folder / "model", small_model())).status == 0);
  write_pictures(folder / "second", {"dark", "light"}, 8);
  const auto run = vitome(test::train_words(
      folder / "second", folder / "tuned",
      {"--model", (folder / "model").string(), "--freeze", "backbone", "--epochs", "2"}));
  INFO(run.err);
  REQUIRE(run.status == 0);
  const auto model = vit::load(folder / "model"), tuned = vit::load(folder / "tuned");
  CHECK(tuned->labels() == std::vector<std::string>{"dark", "light"});
  for (const auto& item : tuned->named_parameters())
    if (!item.key().starts_with("head")) {
      INFO(item.key());
      CHECK(at::equal(item.value(), model->named_parameters()[item.key()]));
    }
}

TEST_CASE("train says what is wrong with a command line or with data") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green"}, 8);
  const std::string data = (folder / "data").string(), out = (folder / "out").string();
  const auto message = [&](int status, const std::vector<std::string>& words) {
    std::vector<std::string> all{"train"};
    all.insert(all.end(), words.begin(), words.end());
    const auto run = vitome(all);
    CHECK(run.status == status);
    return run.err;
  };
  CHECK_THAT(message(2, {data}), ContainsSubstring("--output FOLDER is missing"));
  CHECK_THAT(message(2, {"--output", out}), ContainsSubstring("expected one DATA"));
  CHECK_THAT(message(2, {data, "--output", out, "--val", data, "--val-split", "0.5"}),
             ContainsSubstring("exclude each other"));
  CHECK_THAT(message(2, {data, "--output", out, "--batch", "4", "--freeze", "13"}),
             ContainsSubstring("expected 0 to 12 blocks"));
  CHECK_THAT(message(2, {data, "--output", out, "--scale", "0.5"}),
             ContainsSubstring("expected MIN,MAX"));
  CHECK_THAT(message(2, {data, "--output", out, "--model", "cifar10", "--arch", "x"}),
             ContainsSubstring("--model brings its architecture"));
  CHECK_THAT(message(1, {data, "--output", out, "--auto-augment", "rand-x9"}),
             ContainsSubstring("AugmentOptions::auto_augment (--auto-augment) is 'rand-x9'"));
  CHECK_THAT(message(1, {data, "--output", out, "--arch", "vit_tyny_patch16_224"}),
             ContainsSubstring("vit_tiny_patch16_224"));
  CHECK_THAT(message(1, {data, "--output", out}),
             ContainsSubstring("less than one batch of 128") && ContainsSubstring("(--batch)"));
  CHECK_THAT(message(1, {(folder / "none").string(), "--output", out}), ContainsSubstring("none"));
  CHECK_THAT(message(1, {data, "--output", "/dev/null/out", "--batch", "4"}),
             ContainsSubstring("/dev/null/out"));
  CHECK_THAT(message(1, {(folder / "data" / "red").string(), "--output", out}),
             ContainsSubstring("red"));
}
