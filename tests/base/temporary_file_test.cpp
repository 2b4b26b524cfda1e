#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <base/error.h>
#include <base/temporary_file.h>

namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("What a killed process leaves of a file is removed, but not what is being written") {
  const test::TempDir temp;
  const fs::path target = temp / "model";
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const base::TemporaryFile file(target);
    (void)!write(ready[1], "x", 1);
    for (;;) pause();
  }
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  close(ready[1]);
  const Names left = names_in(temp.path());
  REQUIRE(left.size() == 1);
  CHECK(left.front().starts_with("model.part-"));
  for (const char* other : {"model.part-", "model.part-x1", "other.part-1", "model.part-12.bin"})
    std::ofstream(temp / other) << "x";
  const std::size_t others = 4;

  base::remove_leftovers(target);
  CHECK(names_in(temp.path()).size() == others + 1);  // it still writes
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(fs::exists(temp / left.front()));
  base::replace_file(target, "whole");
  CHECK(names_in(temp.path()) ==
        Names{"model", "model.part-", "model.part-12.bin", "model.part-x1", "other.part-1"});
  base::remove_leftovers(temp / "no/such/folder/model");
}

TEST_CASE("Writers of one file do not take each other's for abandoned") {
  const test::TempDir temp;
  const fs::path target = temp / "file";
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round)
        base::replace_file(target, std::string(1000, static_cast<char>('a' + i)));
    });
  for (std::thread& writer : writers) writer.join();
  CHECK(names_in(temp.path()) == Names{"file"});
  std::ifstream stream(target);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  CHECK(text == std::string(1000, text.at(0)));
}
