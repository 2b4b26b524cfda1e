#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace vit {

/// Something the user gave is wrong: a file, a config, an option. what() says what, where and what
/// to do about it. Violated shape or dtype contracts of the tensor API throw c10::Error instead.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with the streamed parts as its message.
template <typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(message.str());
}

}  // namespace vit
