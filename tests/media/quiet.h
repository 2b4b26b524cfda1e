#pragma once

#include <cstdio>
#include <string>

namespace test {

/// Keeps everything that the process writes to its standard error, C and C++ alike, while it lives.
class CapturedStderr {
 public:
  CapturedStderr();
  ~CapturedStderr();
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  /// What was written so far.
  std::string text();

 private:
  std::FILE* file_;
  int saved_;
};

}  // namespace test
