#pragma once

#include "tests/support/process.h"

#include <filesystem>
#include <string>

namespace test {

/// A named pipe in the place of a file: who reads the file waits until the gate is opened. With it
/// a test holds a program at a certain point, however fast or slow the machine is.
class Gate {
 public:
  /// Nothing may be at `path`. Throws std::runtime_error.
  explicit Gate(std::filesystem::path path);
  ~Gate();  ///< removes it
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Gives a program, if it comes to the file before it ends, what is to be in it: up to 64 kB.
  void open(const std::string& content, const Process& program);

 private:
  std::filesystem::path path_;
  int pipe_ = -1;
};

/// Waits until the file is there, or the program has ended.
void wait_for_file(const std::filesystem::path& path, const Process& program);

}  // namespace test
