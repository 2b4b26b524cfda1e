#include "tests/media/quiet.h"

#include <iostream>
#include <stdexcept>
#include <unistd.h>

namespace test {

CapturedStderr::CapturedStderr() : file_(std::tmpfile()), saved_(dup(STDERR_FILENO)) {
  if (!file_ || saved_ < 0) throw std::runtime_error("cannot capture standard error");
  std::cerr.flush();
  std::fflush(stderr);
  dup2(fileno(file_), STDERR_FILENO);
}

CapturedStderr::~CapturedStderr() {
  std::cerr.flush();
  std::fflush(stderr);
  dup2(saved_, STDERR_FILENO);
  close(saved_);
  std::fclose(file_);
}

std::string CapturedStderr::text() {
  std::cerr.flush();
  std::fflush(stderr);
  std::string result(static_cast<size_t>(std::max(0L,
                                                  [&] {
                                                    std::fseek(file_, 0, SEEK_END);
                                                    return std::ftell(file_);
                                                  }())),
                     '\0');
  std::rewind(file_);
  result.resize(std::fread(result.data(), 1, result.size(), file_));
  return result;
}

}  // namespace test
