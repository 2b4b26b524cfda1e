#pragma once

#include "tests/support/temp_dir.h"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace test {

/// What a finished program left behind.
struct Finished {
  int status = 0;  ///< exit status, 128 + signal as shells have it, or -1 if it ran out of time
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string input{};                        ///< on standard input
  std::vector<std::string> environment{};     ///< "NAME=value" beside the inherited ones
  std::filesystem::path folder{};             ///< to run in; the current one if empty
  std::filesystem::path interrupt_at_file{};  ///< a signal as soon as this file exists
  int interrupt_signal = SIGINT;              ///< that one
};

/// A program that runs; it is killed if it still does when the object goes away.
class Process {
 public:
  /// `command` is the path of the program and its arguments. Throws std::runtime_error.
  explicit Process(std::vector<std::string> command, ProcessOptions options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number);
  bool running() const;

  /// What it has written to standard output so far.
  std::string out() const;

  /// Its end; it is killed if that does not come in time. To be called once.
  Finished wait(std::chrono::milliseconds timeout = std::chrono::minutes(4));

 private:
  TempDir streams_;
  std::filesystem::path interrupt_at_file_;
  int interrupt_signal_;
  pid_t child_ = 0;  // 0 once it has ended
};

/// The environment of process `rank` of `size` that meet at 127.0.0.1:`port`.
std::vector<std::string> process_variables(int rank, int size, uint16_t port);

/// A TCP port of 127.0.0.1 that nothing uses at the moment.
uint16_t free_port();

std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace test
