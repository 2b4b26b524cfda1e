#pragma once

#include <iostream>
#include <streambuf>

#include <apps/cli/descriptor_buffer.h>

namespace cli {

/// While it lives, std::cout has a buffer that threads may share, and std::cerr no longer flushes
/// it: the buffer that std::cout has otherwise writes lines twice, or not at all, where a thread
/// writes to std::cerr at the wrong moment.
class StandardOutput {
 public:
  StandardOutput();
  ~StandardOutput();
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

 private:
  DescriptorBuffer buffer_;
  std::streambuf* const before_;
  std::ostream* const tied_;
};

/// Writes what waits in std::cout. Throws base::Error with the reason if anything could not be
/// written, now or before.
void flush_standard_output();

}  // namespace cli
