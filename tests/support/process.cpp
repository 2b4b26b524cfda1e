#include "tests/support/process.h"

#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace test {
namespace {

namespace fs = std::filesystem;

constexpr auto kPoll = std::chrono::milliseconds(2);

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> with_inherited(std::vector<std::string> environment) {
  const std::vector<std::string> own = environment;
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view inherited = *variable;
    const std::string_view name = inherited.substr(0, inherited.find('=') + 1);
    bool replaced = false;
    for (const std::string& one : own) replaced = replaced || one.starts_with(name);
    if (!replaced) environment.emplace_back(inherited);
  }
  return environment;
}

}  // namespace

// Standard streams are files: neither side can block on a full pipe.
Process::Process(std::vector<std::string> command, ProcessOptions options)
    : interrupt_at_file_(std::move(options.interrupt_at_file)),
      interrupt_signal_(options.interrupt_signal) {
  std::ofstream(streams_ / "in", std::ios::binary) << options.input;
  const std::string program = command.front();
  if (!options.folder.empty())
    command.insert(command.begin(),
                   {"/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", options.folder.string()});
  std::vector<std::string> environment = with_inherited(std::move(options.environment));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const auto redirect = [&](int stream, const char* name, int flags) {
    posix_spawn_file_actions_addopen(&actions, stream, (streams_ / name).c_str(), flags, 0600);
  };
  redirect(STDIN_FILENO, "in", O_RDONLY);
  redirect(STDOUT_FILENO, "out", O_WRONLY | O_CREAT);
  redirect(STDERR_FILENO, "err", O_WRONLY | O_CREAT);
  const int fault = posix_spawn(&child_, command.front().c_str(), &actions, nullptr,
                                pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (fault != 0) {
    child_ = 0;
    throw std::runtime_error("cannot start " + program);
  }
}

Process::~Process() {
  if (child_ == 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

void Process::signal(int number) {
  if (child_ != 0) kill(child_, number);
}

bool Process::running() const {
  siginfo_t end{};
  return child_ != 0 &&
         waitid(P_PID, static_cast<id_t>(child_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         end.si_pid == 0;
}

std::string Process::out() const { return read_text(streams_ / "out"); }

Finished Process::wait(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  bool interrupt = !interrupt_at_file_.empty();
  Finished finished;
  for (;;) {
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) == child_) {
      finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (interrupt && fs::exists(interrupt_at_file_)) {
      signal(interrupt_signal_);
      interrupt = false;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      signal(SIGKILL);
      waitpid(child_, &status, 0);
      finished.status = -1;
      break;
    }
    std::this_thread::sleep_for(kPoll);
  }
  child_ = 0;
  finished.out = out();
  finished.err = read_text(streams_ / "err");
  return finished;
}

std::vector<std::string> process_variables(int rank, int size, uint16_t port) {
  return {"RANK=" + std::to_string(rank), "WORLD_SIZE=" + std::to_string(size),
          "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + std::to_string(port)};
}

uint16_t free_port() {
  const int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool known =
      handle >= 0 &&
      bind(handle, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      getsockname(handle, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  close(handle);
  if (!known) throw std::runtime_error("no free port on 127.0.0.1");
  return ntohs(address.sin_port);
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace test
