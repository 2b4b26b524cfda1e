#pragma once

#include <cstdint>
#include <string>

#include <apps/cli/progress.h>
#include <hub/monitor.h>

namespace cli {

/// Shows a download on standard error, and stops it on an interrupt after watch_interrupts().
class HubProgress : public hub::Monitor {
 public:
  explicit HubProgress(bool quiet) : quiet_(quiet) {}

  void progress(uint64_t done, uint64_t total, const std::string& file) override;
  void note(const std::string& text) override;
  bool cancelled() override;

  /// Clears the bar.
  void hide() { bar_.hide(); }

 private:
  bool quiet_;
  Progress bar_{0, "bytes"};
};

}  // namespace cli
