#include "tests/cli/process.h"
#include "tests/cli/training.h"
#include "tests/support/catch.h"
#include "tests/support/gate.h"
#include "tests/support/temp_dir.h"

#include <csignal>
#include <string>
#include <utility>
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

TEST_CASE("train makes models of other kinds, which load again") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green"}, 8);
  const std::string positions = GENERATE(as<std::string>{}, "rotary", "rotary-mixed", "sincos");
  const bool merges = GENERATE(false, true);
  CAPTURE(positions, merges);
  const std::string args =
      "img_size=16 patch_size=4 embed_dim=32 depth=2 num_heads=2 class_token=False global_pool=avg";
  auto words = test::train_words(
      folder / "data", folder / "out",
      {"--model-args", args, "--positions", positions, "--mlp", "swiglu", "--norm", "rms",
       "--registers", "2", "--epochs", "8", "--lr", "1e-2", "--val-split", "0.25"});
  if (merges) words.insert(words.end(), {"--r", "3", "--merged-positions", "keep"});
  const auto run = vitome(words);
  INFO(run.err);
  REQUIRE(run.status == 0);
  const auto model = vit::load(folder / "out");
  const vit::VitConfig& config = model->config();
  const vit::BlockConfig& block = config.block;
  CHECK(block.attention.rotary.has_value() == (positions != "sincos"));
  CHECK((config.positions.kind == vit::PositionKind::sincos_2d) == (positions == "sincos"));
  CHECK(block.mlp.kind == vit::MlpKind::swiglu_packed);
  CHECK(block.norm.kind == vit::NormKind::rms_norm);
  CHECK(config.prefix.reg_tokens == 2);
  const auto told = vitome(
      {"eval", (folder / "data").string(), "--model", (folder / "out").string(), "--json", "-"});
  REQUIRE(told.status == 0);
  const auto json = nlohmann::json::parse(told.out.substr(told.out.find("{\n")));
  CHECK(json.at("results").at(0).at("top1").get<double>() > 0.9);
}

TEST_CASE("what a random model differs in is checked") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green"}, 4);
  const auto refusal = [&](const std::vector<std::string>& more) {
    const auto run = vitome(test::train_words(folder / "data", folder / "out", more));
    CHECK(run.status == 2);
    return run.err;
  };
  CHECK_THAT(refusal({"--positions", "absolute"}),
             ContainsSubstring("--positions") && ContainsSubstring("rotary-mixed"));
  CHECK_THAT(refusal({"--registers", "-1"}), ContainsSubstring("--registers"));
  for (const char* name : {"--positions", "--norm", "--mlp", "--registers"}) {
    const std::string option = name;
    const std::string value = option == "--positions" ? "rotary"
                              : option == "--norm"    ? "rms"
                              : option == "--mlp"     ? "swiglu"
                                                      : "2";
    CHECK_THAT(refusal({"--model", "cifar10", option, value}),
               ContainsSubstring("--model brings its architecture: leave " + option + " away"));
  }
}

TEST_CASE("an interrupted training run goes on as if nothing had happened") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green"}, 20);
  const fs::path last = folder / "last.ppm";
  const std::string picture = test::read_text(folder / "data/green/0.ppm");
  test::write_text(folder / "val.csv", "data/red/0.ppm,red\nlast.ppm,green\n");
  const auto words_for = [&](const char* output) {
    auto words = test::train_words(folder / "data", folder / output, small_model());
    words.insert(words.end(), {"--val", (folder / "val.csv").string(), "--save-every", "0"});
    return words;
  };
  test::write_text(last, picture);
  REQUIRE(vitome(words_for("whole")).status == 0);
  const auto whole = vit::read_weights(folder / "whole" / "model.safetensors");

  const std::vector<std::pair<int, const char*>> signals = {{SIGTERM, "term"}, {SIGHUP, "hup"}};
  for (const auto& [signal, name] : signals) {
    INFO(name);
    auto words = words_for(name);
    fs::remove(last);
    {
      test::Gate gate(last);
      const auto run = test::start_vitome(words);
      test::wait_for_file(folder / name / "run" / "checkpoint.safetensors", *run);
      run->signal(signal);
      gate.open(picture, *run);
      const auto stopped = run->wait();
      INFO(stopped.err);
      REQUIRE(stopped.status == 128 + signal);
      CHECK_THAT(stopped.err, ContainsSubstring("--resume goes on"));
    }
    test::write_text(last, picture);
    const auto refused = vitome(words);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err, ContainsSubstring("(--resume)") && ContainsSubstring("(--overwrite)"));
    words.emplace_back("--resume");
    REQUIRE(vitome(words).status == 0);
    for (const auto& [tensor_name, tensor] :
         vit::read_weights(folder / name / "model.safetensors")) {
      INFO(tensor_name);
      CHECK(at::equal(tensor, whole.at(tensor_name)));
    }
    words.emplace_back("--lr");
    words.emplace_back("0.5");
    const auto other = vitome(words);
    CHECK(other.status == 1);
    CHECK_THAT(other.err, ContainsSubstring("lr was 0.01 and is 0.5 now"));
  }
}

TEST_CASE("train names the parts of a data set, and a share that holds nothing back") {
  const test::TempDir folder;
  write_pictures(folder / "data/train", {"red", "green"}, 4);
  write_pictures(folder / "data/val", {"red", "green"}, 2);
  const auto parts = vitome(test::train_words(folder / "data", folder / "out", {}));
  CHECK(parts.status == 1);
  CHECK_THAT(parts.err, ContainsSubstring("vitome train " + (folder / "data/train").string() +
                                          " --val " + (folder / "data/val").string() + "\n"));
  const auto none =
      vitome(test::train_words(folder / "data/train", folder / "out", {"--val-split", "0.05"}));
  CHECK(none.status == 1);
  CHECK_THAT(none.err, ContainsSubstring("(--val-split) is 0.05") &&
                           ContainsSubstring("2 classes of 4 pictures each; 0.13 takes one"));
}

TEST_CASE("train counts pictures that it cannot read, by class, and names each") {
  const test::TempDir folder;
  write_pictures(folder / "data", {"red", "green"}, 10);
  write_pictures(folder / "val", {"red", "green"}, 2);
  for (const char* name :
       {"data/red/a.psd", "data/red/b.jpg", "data/green/c.x3f", "val/green/d.exr"})
    test::write_text(folder / name, "no picture that can be read");
  auto words = test::train_words(folder / "data", folder / "out", small_model());
  words.insert(words.end(), {"--val", (folder / "val").string()});
  const auto run = vitome(words);
  INFO(run.err);
  REQUIRE(run.status == 0);
  for (const char* name : {"a.psd: ", "b.jpg: ", "c.x3f: ", "d.exr: "})
    CHECK_THAT(run.err, ContainsSubstring(name));
  CHECK_THAT(run.err, ContainsSubstring("3 of 23 training pictures cannot be read, by class: "
                                        "red 2 of 12, green 1 of 11\n"));
  CHECK_THAT(run.err, ContainsSubstring("1 of 5 validation pictures cannot be read, by class: "
                                        "green 1 of 3\n"));
  CHECK_THAT(run.out, ContainsSubstring("3 unreadable"));
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
  CHECK_THAT(message(1, {data, "--output", out, "--model", "cifar10", "--arch", "x"}),
             ContainsSubstring("unknown architecture \"x\""));
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
