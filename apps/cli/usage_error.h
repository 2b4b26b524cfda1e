#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace cli {

/// The command line itself is wrong: exit status 2, and a pointer to --help.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws UsageError with the streamed parts as its message.
template <typename... Parts>
[[noreturn]] void usage_error(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw UsageError(message.str());
}

}  // namespace cli
