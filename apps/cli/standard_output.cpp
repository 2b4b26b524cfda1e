#include <cstring>
#include <unistd.h>

#include <apps/cli/standard_output.h>
#include <base/error.h>

namespace cli {

StandardOutput::StandardOutput()
    : buffer_(STDOUT_FILENO), before_(std::cout.rdbuf(&buffer_)), tied_(std::cerr.tie(nullptr)) {}

StandardOutput::~StandardOutput() {
  std::cout.flush();
  std::cout.rdbuf(before_);
  std::cerr.tie(tied_);
}

void flush_standard_output() {
  std::cout.flush();
  if (std::cout) return;
  const auto* buffer = dynamic_cast<const DescriptorBuffer*>(std::cout.rdbuf());
  base::fail("writing to standard output failed",
             buffer ? std::string(": ") + std::strerror(buffer->error()) : "");
}

}  // namespace cli
