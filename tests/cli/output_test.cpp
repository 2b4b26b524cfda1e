#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <atomic>
#include <fcntl.h>
#include <iostream>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <ATen/ATen.h>

#include <apps/cli/memory.h>
#include <apps/cli/standard_output.h>
#include <base/error.h>

using Catch::ContainsSubstring;
using test::vitome;

namespace {

/// Sends a descriptor of this process to a file while it lives.
class Redirected {
 public:
  Redirected(int descriptor, const std::string& path)
      : descriptor_(descriptor), saved_(dup(descriptor)) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (saved_ < 0 || file < 0) throw std::runtime_error("cannot redirect to " + path);
    dup2(file, descriptor_);
    close(file);
  }
  ~Redirected() {
    dup2(saved_, descriptor_);
    close(saved_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  int descriptor_, saved_;
};

// Runs a command line of a shell in which $0 is the program.
test::Finished shell(const std::string& line, std::vector<std::string> environment = {}) {
  environment.emplace_back("VITOME_MODELS=" VITOME_SHIPPED_MODELS);
  return test::Process({"/bin/sh", "-c", line, VITOME_PROGRAM}, {.environment = environment})
      .wait();
}

std::string tiny_model() { return test::data("vit/timm_vit_cls").string(); }

}  // namespace

TEST_CASE("Results come once and whole while other threads write to standard error") {
  const test::TempDir temp;
  const auto path = temp / "out";
  constexpr int kLines = 30000;
  std::string expected;
  {
    std::cout.flush();
    const Redirected out(STDOUT_FILENO, path.string()), err(STDERR_FILENO, "/dev/null");
    const cli::StandardOutput standard_output;
    CHECK(std::cerr.tie() == nullptr);
    // As if a library had tied them again.
    std::cerr.tie(&std::cout);
    std::atomic<bool> done = false;
    std::vector<std::thread> others;
    for (int i = 0; i < 3; ++i)
      others.emplace_back([&] {
        while (!done) std::cerr << "a message of a library\n";
      });
    for (int i = 0; i < kLines; ++i) {
      const std::string line = "{\"file\": " + std::to_string(i) + "}\n";
      std::cout << line;
      expected += line;
    }
    done = true;
    for (std::thread& other : others) other.join();
    cli::flush_standard_output();
    std::cerr.tie(nullptr);
  }
  CHECK(std::cerr.tie() == &std::cout);
  CHECK(test::read_text(path) == expected);
}

TEST_CASE("classify writes every line once while a library writes to standard error") {
  const std::string good = test::data("media/image/small_cat.jpg").string();
  const std::string damaged = test::data("media/image/malformed/truncated.png").string();
  constexpr int kPairs = 200, kTop = 10;
  std::string list;
  for (int i = 0; i < kPairs; ++i) list += good + "\n" + damaged + "\n";
  const auto run = [&](const char* form, bool noise) {
    std::vector<std::string> environment = {"ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"};
    if (noise) environment.emplace_back("LD_PRELOAD=" VITOME_NOISE);
    return vitome({"classify", "-", form, "-", "--top", std::to_string(kTop), "--batch", "8"},
                  {.input = list, .environment = environment})
        .out;
  };
  const std::string csv = run("--csv", false), json = run("--json", false);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + kPairs * (kTop + 1));
  CHECK(test::json_lines(json).size() == 2 * kPairs);
  CHECK(run("--csv", true) == csv);
  CHECK(run("--json", true) == json);
}

TEST_CASE("Output that cannot be written is a failure that says why") {
  const auto inspect = [](const char* file) {
    return vitome({"inspect", "--model", tiny_model(), "--json", file});
  };
  const auto nowhere = inspect("/no/such/folder/out.json");
  CHECK(nowhere.status == 1);
  CHECK_THAT(nowhere.err, ContainsSubstring("--json: cannot write to /no/such/folder/out.json: "
                                            "No such file or directory"));
  const auto full = inspect("/dev/full");
  CHECK(full.status == 1);
  CHECK_THAT(full.err,
             ContainsSubstring("--json: writing to /dev/full failed: No space left on device"));
  const std::string picture = test::data("media/image/small_cat.jpg").string();
  const auto csv = vitome({"classify", picture, "--csv", "/dev/full"});
  CHECK(csv.status == 1);
  CHECK_THAT(csv.err, ContainsSubstring("--csv: writing to /dev/full failed: No space left"));
  for (const std::string& words :
       {std::string("--help"), "inspect --model '" + tiny_model() + "' --json -"}) {
    const auto out = shell("exec \"$0\" " + words + " > /dev/full");
    CHECK(out.status == 1);
    CHECK_THAT(out.err, ContainsSubstring("writing to standard output failed: No space left"));
  }
}

TEST_CASE("A named pipe that nobody reads is waited for, and said to be") {
  const test::TempDir temp;
  const auto pipe = temp / "pipe", messages = temp / "messages";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const auto run = shell("\"$0\" inspect --model '" + tiny_model() + "' --json '" + pipe.string() +
                         "' > /dev/null 2> '" + messages.string() + "' & until grep -q waiting '" +
                         messages.string() + "' || ! kill -0 $!; do sleep 0.01; done; cat '" +
                         pipe.string() + "'; wait $!");
  CHECK(run.status == 0);
  CHECK(nlohmann::json::parse(run.out).at("tokens") == 65);
  CHECK_THAT(test::read_text(messages), ContainsSubstring("named pipe that nobody reads"));
}

#ifndef VITOME_SANITIZED  // which ends a program that asks for so much
TEST_CASE("Too little memory is called that, with how much was asked for") {
  CHECK(cli::out_of_memory(std::bad_alloc()) == "out of memory");
  CHECK(cli::out_of_memory(base::Error("something else")) == std::nullopt);
  try {
    at::empty({int64_t{1} << 50});  // more than a process has addresses for
    FAIL("that much memory was given");
  } catch (const std::exception& error) {
    CHECK(cli::out_of_memory(error) == "out of memory: 4503.6 TB more were needed");
  }
}

TEST_CASE("A command that gets too little memory names the option that needs less") {
  const auto run = shell(
      "ulimit -v 40000000; exec \"$0\" bench --arch vit_tiny_patch16_224 --image-size 1024 "
      "--batch 4096 --threads 1 --r 0 --seconds 0.01");
  CHECK(run.status == 1);
  CHECK(run.err ==
        "vitome bench: out of memory: 51.5 GB more were needed; a smaller --batch (4096 now) needs "
        "less\n");
}
#endif
