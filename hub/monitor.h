#pragma once

#include <cstdint>
#include <string>

namespace hub {

/// Watches a download and may stop it.
class Monitor {
 public:
  virtual ~Monitor() = default;

  /// `done` of `total` bytes have come over the network; `file` is the one that comes now. Often.
  virtual void progress(uint64_t /*done*/, uint64_t /*total*/, const std::string& /*file*/) {}

  /// Something that people may want to know while they wait.
  virtual void note(const std::string& /*text*/) {}

  /// Asked about once a second; true ends the download with Interrupted.
  virtual bool cancelled() { return false; }
};

}  // namespace hub
