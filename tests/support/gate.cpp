#include "tests/support/gate.h"

#include <chrono>
#include <fcntl.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace test {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(2);

}  // namespace

Gate::Gate(std::filesystem::path path) : path_(std::move(path)) {
  // Open for both, so that it has a writer from the beginning.
  if (mkfifo(path_.c_str(), 0600) == 0) pipe_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (pipe_ < 0) throw std::runtime_error("cannot make the pipe " + path_.string());
}

Gate::~Gate() {
  if (pipe_ >= 0) close(pipe_);
  std::filesystem::remove(path_);
}

void Gate::open(const std::string& content, const Process& program) {
  if (write(pipe_, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    throw std::runtime_error("cannot write to the pipe " + path_.string());
  // What nobody has read would be lost with the last one who has the pipe open.
  for (int left = 1; program.running() && ioctl(pipe_, FIONREAD, &left) == 0 && left > 0;)
    std::this_thread::sleep_for(kPoll);
  close(pipe_);
  pipe_ = -1;
}

void wait_for_file(const std::filesystem::path& path, const Process& program) {
  while (!std::filesystem::exists(path) && program.running()) std::this_thread::sleep_for(kPoll);
}

}  // namespace test
