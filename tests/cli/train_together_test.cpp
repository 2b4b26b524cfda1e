#include "tests/cli/process.h"
#include "tests/cli/training.h"
#include "tests/support/catch.h"
#include "tests/support/gate.h"
#include "tests/support/temp_dir.h"

#include <csignal>
#include <filesystem>

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/weights/files/read.h>

namespace {

using Catch::ContainsSubstring;
namespace fs = std::filesystem;

// In float32, since what is shared out is then the same but for the order of sums.
std::vector<std::string> words(const fs::path& data, const fs::path& output,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = test::small_model();
  all.insert(all.end(), {"--dtype", "fp32"});
  all.insert(all.end(), more.begin(), more.end());
  return test::train_words(data, output, all);
}

at::Tensor logits(const fs::path& model) {
  at::manual_seed(0);
  const at::Tensor pixels = at::randn({16, 3, 16, 16});
  const at::NoGradGuard no_gradient;
  return vit::load(model)->forward(pixels);
}

}  // namespace

TEST_CASE("two processes learn what one learns, and only the first speaks") {
  const test::TempDir folder;
  test::write_pictures(folder / "data", {"red", "green", "blue"}, 16);
  const std::vector<std::string> validated{"--val-split", "0.25"};
  const auto one = test::vitome(words(folder / "data", folder / "one", validated));
  INFO(one.err);
  REQUIRE(one.status == 0);
  const auto processes = test::vitomes(2, words(folder / "data", folder / "two", validated));
  const auto leader = processes[0]->wait(), other = processes[1]->wait();
  CAPTURE(leader.err, other.err);
  REQUIRE(leader.status == 0);
  REQUIRE(other.status == 0);
  CHECK(other.out.empty());
  CHECK(other.err.empty());
  // Rounding errors of 20 steps, which AdamW makes larger where gradients are small.
  const at::Tensor expected = logits(folder / "one");
  CHECK(expected.std().item<double>() > 0.1);
  CHECK((logits(folder / "two") - expected).abs().max().item<double>() < 2e-3);
}

TEST_CASE("when one of two training processes is killed, the other ends, and both can go on") {
  const test::TempDir folder;
  test::write_pictures(folder / "data", {"red", "green"}, 20);
  // The second picture is that of the second process.
  const fs::path second = folder / "second.ppm";
  const std::string picture = test::read_text(folder / "data/green/0.ppm");
  test::write_text(folder / "val.csv", "data/red/0.ppm,red\nsecond.ppm,green\n");
  const std::vector<std::string> validated{"--val", (folder / "val.csv").string(), "--save-every",
                                           "0"};
  test::write_text(second, picture);
  for (const auto& process : test::vitomes(2, words(folder / "data", folder / "whole", validated)))
    REQUIRE(process->wait().status == 0);

  auto arguments = words(folder / "data", folder / "parts", validated);
  fs::remove(second);
  {
    const test::Gate gate(second);
    const auto processes = test::vitomes(2, arguments);
    test::wait_for_file(folder / "parts" / "run" / "checkpoint.safetensors", *processes[0]);
    processes[1]->signal(SIGKILL);
    const auto leader = processes[0]->wait();
    INFO(leader.err);
    REQUIRE(leader.status == 1);
    CHECK_THAT(leader.err, ContainsSubstring("process 0 of 2 lost another one"));
    CHECK(processes[1]->wait().status == 128 + SIGKILL);
  }
  test::write_text(second, picture);
  arguments.emplace_back("--resume");
  for (const auto& process : test::vitomes(2, arguments)) {
    const auto end = process->wait();
    INFO(end.err);
    REQUIRE(end.status == 0);
  }
  const auto whole = vit::read_weights(folder / "whole" / "model.safetensors");
  for (const auto& [name, tensor] : vit::read_weights(folder / "parts" / "model.safetensors")) {
    INFO(name);
    CHECK(at::equal(tensor, whole.at(name)));
  }
}

TEST_CASE("two processes count together what they cannot read") {
  const test::TempDir folder;
  test::write_pictures(folder / "data", {"red", "green"}, 12);
  for (const char* name : {"data/red/a.ppm", "data/red/b.ppm", "data/green/c.ppm"})
    test::write_text(folder / name, "no picture");
  const auto processes = test::vitomes(2, words(folder / "data", folder / "out"));
  const auto leader = processes[0]->wait(), other = processes[1]->wait();
  CAPTURE(leader.err, other.err);
  REQUIRE(leader.status == 0);
  REQUIRE(other.status == 0);
  CHECK_THAT(leader.err, ContainsSubstring("3 of 27 training pictures cannot be read, by class: "
                                           "red 2 of 14, green 1 of 13\n"));
  CHECK_THAT(other.err, !ContainsSubstring("by class"));
}

TEST_CASE("processes that are started with other options do not learn together") {
  const test::TempDir folder;
  test::write_pictures(folder / "data", {"red", "green"}, 20);
  const uint16_t port = test::free_port();
  std::vector<std::unique_ptr<test::Process>> processes;
  for (int rank = 0; rank < 2; ++rank) {
    std::vector<std::string> command = words(
        folder / "data", folder / "out",
        {"--model-args", std::string("img_size=16 patch_size=4 depth=2 num_heads=2 embed_dim=") +
                             (rank == 0 ? "16" : "32")});
    command.insert(command.begin(), VITOME_PROGRAM);
    processes.push_back(std::make_unique<test::Process>(
        command, test::ProcessOptions{.environment = test::process_variables(rank, 2, port)}));
  }
  for (const auto& process : processes) {
    const auto end = process->wait();
    CHECK(end.status == 1);
    CHECK_THAT(end.err, ContainsSubstring("the processes do not do the same"));
  }
}

TEST_CASE("what torchrun is told in examples cannot be taken for options of its own") {
  for (const char* command : {"eval", "train"})
    CHECK_THAT(test::vitome({command, "--help"}).out,
               ContainsSubstring(std::string("--no-python -- vitome ") + command));
}
