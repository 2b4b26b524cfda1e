#include "tests/cli/process.h"

#include "tests/support/temp_dir.h"

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <signal.h>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace test {
namespace {

namespace fs = std::filesystem;

constexpr auto kTimeout = std::chrono::minutes(2);
constexpr auto kPoll = std::chrono::milliseconds(2);

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// Status of the child once it has ended.
int wait_for(pid_t child, const fs::path& interrupt_at_file) {
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  bool interrupt = !interrupt_at_file.empty();
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (interrupt && fs::exists(interrupt_at_file)) {
      kill(child, SIGINT);
      interrupt = false;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -1;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

// Standard streams are files: neither side can block on a full pipe.
Finished vitome(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  const TempDir streams;
  std::ofstream(streams / "in", std::ios::binary) << options.input;

  std::vector<std::string> words = {VITOME_PROGRAM};
  if (!options.folder.empty())
    words = {"/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", options.folder.string(), VITOME_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  // The first of several values of a variable counts.
  std::vector<std::string> environment = options.environment;
  environment.emplace_back("VITOME_MODELS=" VITOME_SHIPPED_MODELS);
  for (char** variable = environ; *variable; ++variable)
    if (!std::string_view(*variable).starts_with("VITOME_MODELS="))
      environment.push_back(*variable);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const auto redirect = [&](int stream, const char* name, int flags) {
    posix_spawn_file_actions_addopen(&actions, stream, (streams / name).c_str(), flags, 0600);
  };
  redirect(STDIN_FILENO, "in", O_RDONLY);
  redirect(STDOUT_FILENO, "out", O_WRONLY | O_CREAT);
  redirect(STDERR_FILENO, "err", O_WRONLY | O_CREAT);
  pid_t child = 0;
  const int fault = posix_spawn(&child, words.front().c_str(), &actions, nullptr,
                                pointers(words).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (fault != 0) throw std::runtime_error("cannot start " + words.front());

  Finished finished;
  finished.status = wait_for(child, options.interrupt_at_file);
  finished.out = read_text(streams / "out");
  finished.err = read_text(streams / "err");
  return finished;
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  return objects;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace test
