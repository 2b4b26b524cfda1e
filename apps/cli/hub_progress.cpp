#include <iostream>

#include <apps/cli/hub_progress.h>
#include <apps/cli/interrupt.h>

namespace cli {

void HubProgress::progress(uint64_t done, uint64_t total, const std::string& file) {
  if (quiet_) return;
  bar_.set_total(static_cast<int64_t>(total));
  bar_.update(static_cast<int64_t>(done), file);
}

void HubProgress::note(const std::string& text) {
  if (quiet_) return;
  hide();
  std::cerr << text << std::endl;
}

bool HubProgress::cancelled() { return interrupted(); }

}  // namespace cli
