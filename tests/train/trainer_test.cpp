#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <tests/support/catch.h>
#include <tests/support/compare.h>
#include <tests/support/temp_dir.h>
#include <tests/train/pictures.h>
#include <vector>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <train/checkpoint.h>
#include <train/model_setup.h>
#include <train/trainer.h>
#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/files/read.h>

namespace {

using Catch::ContainsSubstring;
namespace fs = std::filesystem;

train::Settings small_settings() {
  train::Settings settings;
  settings.epochs = 4;
  settings.batch = 8;
  settings.rate = {.peak = 3e-3, .lowest = 1e-5, .warmup_epochs = 1, .epochs = 4};
  settings.drop_path = 0.1;
  settings.ema = 0.9;
  settings.augment.padding = 1;
  settings.augment.erasing = 0.2;
  settings.mix.mixup = 0.2;
  settings.mix.cutmix = 0.5;
  settings.unmixed_epochs = 1;
  return settings;
}

vit::VisionTransformer small_model(const train::Settings& settings) {
  auto model = train::random_model("vit_tiny_patch16_224",
                                   "img_size=16 patch_size=4 embed_dim=16 depth=2 num_heads=2",
                                   {"red", "green", "blue"}, settings.seed);
  model->set_drop_path(settings.drop_path);
  return model;
}

struct Run {
  train::Settings settings = small_settings();
  train::Surroundings around;
  std::vector<std::string> warnings;

  explicit Run(const fs::path& output) {
    around.output = output;
    around.workers = 2;
    around.on_warning = [this](const std::string& text) { warnings.push_back(text); };
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::unique_ptr<train::Trainer> trainer(const data::Dataset& training,
                                          const data::Dataset* validation) {
    return std::make_unique<train::Trainer>(small_model(settings), training, validation, settings,
                                            around, distributed::group_from_environment(c10::kCPU));
  }
};

// Stops a run after so many questions.
std::function<bool()> after(int64_t questions) {
  auto left = std::make_shared<int64_t>(questions);
  return [left] { return --*left < 0; };
}

void check_same_checkpoints(const fs::path& a, const fs::path& b) {
  const auto first = train::read_checkpoint(a / "run" / "checkpoint.safetensors");
  const auto second = train::read_checkpoint(b / "run" / "checkpoint.safetensors");
  REQUIRE(first.tensors.size() == second.tensors.size());
  for (const auto& [name, tensor] : first.tensors) {
    INFO(name);
    CHECK(at::equal(tensor, second.tensors.at(name)));
  }
  REQUIRE(first.progress.history.size() == second.progress.history.size());
  for (std::size_t i = 0; i < first.progress.history.size(); ++i) {
    CHECK(first.progress.history[i].loss == second.progress.history[i].loss);
    CHECK(first.progress.history[i].score == second.progress.history[i].score);
  }
}

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("a run learns, and leaves a model that loads, its card and its curves") {
  const test::TempDir folder;
  const test::Pictures training(96), validation(30);
  Run run(folder / "out");
  run.settings.mix = {};
  run.settings.epochs = 8;
  run.settings.rate.epochs = 8;
  run.settings.rate.peak = 1e-2;
  run.around.command = "vitome train 'my pictures'";
  run.around.report_every = std::chrono::hours(1000);  // a line for each epoch, however slow
  const auto trainer = run.trainer(training, &validation);
  CHECK(trainer->run() == train::Outcome::finished);

  const train::Progress& progress = trainer->progress();
  REQUIRE(progress.history.size() == 8);
  CHECK(progress.history.back().loss < progress.history.front().loss / 2);
  CHECK(progress.best_score > 0.95);
  CHECK(progress.step == 8 * 12);

  const auto model = vit::load(folder / "out");
  CHECK(model->labels() == std::vector<std::string>{"red", "green", "blue"});
  int64_t right = 0;
  for (int64_t i = 0; i < validation.size(); ++i) {
    const at::Tensor pixels =
        (validation.read(i).permute({2, 0, 1}).to(at::kFloat) / 255 - 0.5) / 0.5;
    right += model->forward(pixels.unsqueeze(0)).argmax(1).item<int64_t>() == i % 3;
  }
  CHECK(std::abs(static_cast<double>(right) / 30 - progress.best_score) < 1e-9);
  CHECK_THAT(text_of(folder / "out/README.md"), ContainsSubstring("vitome train 'my pictures'") &&
                                                    ContainsSubstring("3: red, green, blue"));
  const std::string log = text_of(folder / "out/run/log.txt");
  const auto last = log.find("epoch 8/8");
  REQUIRE(last != log.npos);
  const std::regex pace("epoch [1-7]/8 .* pictures/s  [0-9]+(:[0-9][0-9])+ left\n");
  CHECK(std::distance(std::sregex_iterator(log.begin(), log.end(), pace), {}) == 7);
  CHECK_THAT(log.substr(last), !ContainsSubstring(" left"));
  CHECK_THAT(text_of(folder / "out/run/metrics.csv"), ContainsSubstring("\n8,"));
  std::string events;
  for (const auto& entry : fs::directory_iterator(folder / "out/run"))
    if (entry.path().filename().string().starts_with("events.out.tfevents"))
      events += text_of(entry.path());
  for (const char* tag : {"train/loss", "train/lr", "epoch/score", "settings"})
    CHECK_THAT(events, ContainsSubstring(tag));
}

TEST_CASE("a run that was stopped anywhere goes on as if it had not been") {
  const test::TempDir folder;
  const test::Pictures training(44, {5}), validation(9);
  Run whole(folder / "whole");
  REQUIRE(whole.trainer(training, &validation)->run() == train::Outcome::finished);

  // In the middle of an epoch, at its last step, in the validation after it.
  for (const int64_t questions : {2, 4, 5, 12}) {
    INFO(questions);
    const fs::path output = folder / std::to_string(questions);
    Run first(output);
    first.around.stopped = after(questions);
    REQUIRE(first.trainer(training, &validation)->run() == train::Outcome::interrupted);
    Run second(output);
    second.around.resume = true;
    REQUIRE(second.trainer(training, &validation)->run() == train::Outcome::finished);
    check_same_checkpoints(folder / "whole", output);
  }
}

TEST_CASE("a run that was killed goes on from its last checkpoint") {
  const test::TempDir folder;
  const test::Pictures training(40), validation(9);
  Run whole(folder / "whole");
  REQUIRE(whole.trainer(training, &validation)->run() == train::Outcome::finished);

  Run killed(folder / "killed");
  killed.around.checkpoint_every = std::chrono::seconds(0);  // after each step
  struct Kill {};
  int64_t steps = 0;
  killed.around.on_progress = [&](int64_t, int64_t, const std::string&) {
    if (++steps == 8) throw Kill();
  };
  CHECK_THROWS_AS(killed.trainer(training, &validation)->run(), Kill);
  Run second(folder / "killed");
  second.around.resume = true;
  const auto trainer = second.trainer(training, &validation);
  CHECK(trainer->progress().step == 7);
  REQUIRE(trainer->run() == train::Outcome::finished);
  check_same_checkpoints(folder / "whole", folder / "killed");
}

TEST_CASE("a run removes what one that was killed had begun to write") {
  const test::TempDir folder;
  const test::Pictures training(40);
  const std::vector<fs::path> leftovers = {"out/run/checkpoint.safetensors.part-1",
                                           "out/run/metrics.csv.part-22",
                                           "out/run/curves.svg.part-3",
                                           "out/model.safetensors.part-4",
                                           "out/config.json.part-5",
                                           "out/README.md.part-6"};
  fs::create_directories(folder / "out/run");
  for (const fs::path& name : leftovers) std::ofstream(folder / name) << "begun";
  std::ofstream(folder / "out/mine.part-7") << "of somebody else";
  Run run(folder / "out");
  run.trainer(training, nullptr);
  for (const fs::path& name : leftovers) {
    INFO(name);
    CHECK_FALSE(fs::exists(folder / name));
  }
  CHECK(fs::exists(folder / "out/mine.part-7"));
}

TEST_CASE("a run is not taken for another one") {
  const test::TempDir folder;
  const test::Pictures training(40);
  Run first(folder / "out");
  first.around.stopped = after(2);
  REQUIRE(first.trainer(training, nullptr)->run() == train::Outcome::interrupted);

  Run again(folder / "out");
  CHECK_THROWS_WITH(again.trainer(training, nullptr), ContainsSubstring("Surroundings::resume"));
  again.around.resume = true;
  again.settings.batch = 10;
  again.settings.rate.peak = 1;
  CHECK_THROWS_WITH(again.trainer(training, nullptr),
                    ContainsSubstring("batch was 8 and is 10 now") && ContainsSubstring("lr was"));
  again.settings = small_settings();
  const test::Pictures others(41);
  CHECK_THROWS_WITH(again.trainer(others, nullptr), ContainsSubstring("other training data"));

  Run fresh(folder / "fresh");
  fresh.around.resume = true;
  fresh.trainer(training, nullptr);
  REQUIRE(fresh.warnings.size() == 1);
  CHECK_THAT(fresh.warnings.front(), ContainsSubstring("nothing to resume"));
}

TEST_CASE("a batch in parts teaches the same as the whole batch") {
  const test::TempDir folder;
  const test::Pictures training(48);
  std::vector<vit::StateDict> results;
  for (const int64_t parts : {1, 3}) {
    Run run(folder / std::to_string(parts));
    run.settings.accumulate = parts;
    run.settings.drop_path = 0;
    run.settings.epochs = 1;
    REQUIRE(run.trainer(training, nullptr)->run() == train::Outcome::finished);
    results.push_back(vit::read_weights(folder / std::to_string(parts) / "model.safetensors"));
  }
  for (const auto& [name, tensor] : results[0]) {
    INFO(name);
    // Sums in another order; Adam's first steps are as large for tiny gradients.
    CHECK(test::max_difference(tensor, results[1].at(name)) < 2e-4);
  }
}

TEST_CASE("training with merging, bfloat16 products or frozen blocks learns, too") {
  const test::TempDir folder;
  const test::Pictures training(48), validation(30);
  const auto score = [&](const std::string& name, const auto& change) {
    Run run(folder / name);
    run.settings.mix = {};
    run.settings.drop_path = 0;
    run.settings.rate.peak = 1e-2;
    run.settings.epochs = 6;
    run.settings.rate.epochs = 6;
    auto model = small_model(run.settings);
    change(model, run.settings);
    train::Trainer trainer(model, training, &validation, run.settings, run.around,
                           distributed::group_from_environment(c10::kCPU));
    CHECK(trainer.run() == train::Outcome::finished);
    return trainer.progress().best_score;
  };
  CHECK(score("r", [](auto& model, auto&) { tome::apply(model, {.r = 4}); }) > 0.9);
  CHECK(score("bf16", [](auto&, auto& settings) { settings.bf16 = true; }) > 0.9);
  at::Tensor frozen, before;
  CHECK(score("frozen", [&](auto& model, auto&) {
          train::freeze_blocks(model, 1);
          frozen = model->named_parameters()["blocks.0.attn.qkv.weight"];
          before = frozen.clone();
        }) > 0.6);
  CHECK(at::equal(frozen, before));
}

TEST_CASE("pictures that cannot be read are counted and told once") {
  const test::TempDir folder;
  const test::Pictures training(40, {3, 17});
  Run run(folder / "out");
  run.settings.epochs = 2;
  const auto trainer = run.trainer(training, nullptr);
  REQUIRE(trainer->run() == train::Outcome::finished);
  CHECK(trainer->progress().history[0].unreadable == 2);
  CHECK(trainer->progress().history[1].pictures == 38);
  const std::set<std::string> warnings(run.warnings.begin(), run.warnings.end());
  CHECK(run.warnings.size() == 3);
  CHECK(warnings == std::set<std::string>{"picture 17: is damaged", "picture 3: is damaged",
                                          "2 of 40 training pictures cannot be read, by class: "
                                          "blue 1 of 13, red 1 of 14"});

  const test::Pictures readable(40), partly(9, {4});
  Run validated(folder / "validated");
  validated.settings.epochs = 2;
  REQUIRE(validated.trainer(readable, &partly)->run() == train::Outcome::finished);
  CHECK(validated.warnings ==
        std::vector<std::string>{"picture 4: is damaged",
                                 "1 of 9 validation pictures cannot be read, by class: "
                                 "green 1 of 3"});

  std::set<int64_t> all;
  for (int64_t i = 0; i < 16; ++i) all.insert(i);
  const test::Pictures unreadable(16, all);
  Run none(folder / "none");
  CHECK_THROWS_WITH(
      none.trainer(unreadable, nullptr)->run(),
      ContainsSubstring("none of the training pictures can be read; the first error"));
  Run unseen(folder / "unseen");
  CHECK_THROWS_WITH(unseen.trainer(readable, &unreadable)->run(),
                    ContainsSubstring("none of the validation pictures can be read; the first "
                                      "error: picture 0: is damaged"));
}

TEST_CASE("a run that diverges says so and keeps the last good checkpoint") {
  const test::TempDir folder;
  const test::Pictures training(40);
  Run first(folder / "out");
  first.around.stopped = after(6);
  REQUIRE(first.trainer(training, nullptr)->run() == train::Outcome::interrupted);
  const std::string before = text_of(folder / "out/run/checkpoint.safetensors");

  Run second(folder / "out");
  second.around.resume = true;
  second.around.checkpoint_every = std::chrono::seconds(0);
  auto model = small_model(second.settings);
  train::Trainer trainer(model, training, nullptr, second.settings, second.around,
                         distributed::group_from_environment(c10::kCPU));
  {
    const at::NoGradGuard no_gradient;
    model->named_parameters()["head.bias"].fill_(std::numeric_limits<float>::infinity());
  }
  CHECK_THROWS_WITH(trainer.run(), ContainsSubstring("loss is not finite"));
  CHECK(text_of(folder / "out/run/checkpoint.safetensors") == before);
}

TEST_CASE("settings that do not fit the data are refused") {
  const test::TempDir folder;
  const test::Pictures few(5);
  Run run(folder / "out");
  CHECK_THROWS_WITH(run.trainer(few, nullptr), ContainsSubstring("less than one batch of 8"));
  const test::Pictures training(40);
  auto model = small_model(run.settings);
  for (auto& parameter : model->parameters()) parameter.requires_grad_(false);
  CHECK_THROWS_WITH(train::Trainer(model, training, nullptr, run.settings, run.around,
                                   distributed::group_from_environment(c10::kCPU)),
                    ContainsSubstring("nothing is left to learn"));
}
