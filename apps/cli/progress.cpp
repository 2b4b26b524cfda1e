#include <algorithm>
#include <iostream>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include <apps/cli/progress.h>
#include <base/text.h>

namespace cli {
namespace {

constexpr auto kRedrawAfter = std::chrono::milliseconds(100);
constexpr std::size_t kBarColumns = 24;

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(int64_t total, std::string unit)
    : total_(total), unit_(std::move(unit)), enabled_(isatty(STDERR_FILENO) != 0) {}

std::string Progress::amounts(int64_t done) const {
  if (unit_ == "bytes")
    return base::bytes(static_cast<uint64_t>(done)) + " of " +
           base::bytes(static_cast<uint64_t>(total_));
  return std::to_string(done) + "/" + std::to_string(total_) + " " + unit_;
}

std::string Progress::rate(double per_second) const {
  return (unit_ == "bytes" ? base::bytes(static_cast<uint64_t>(per_second))
                           : base::fixed(per_second, 1)) +
         "/s";
}

void Progress::restart(int64_t done) {
  before_ = done;
  start_ = Clock::now();
}

void Progress::update(int64_t done, const std::string& note) {
  const auto now = Clock::now();
  if (!enabled_ || (visible_ && now - shown_ < kRedrawAfter && done < total_)) return;
  shown_ = now;
  visible_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double fraction =
      total_ > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)) : 0.0;
  const auto filled = static_cast<std::size_t>(fraction * kBarColumns);
  std::string line(1, '[');
  line.append(filled, '#').append(kBarColumns - filled, '.').append("] ");
  line += amounts(done);
  if (done > before_ && seconds > 0) {
    const double per_second = static_cast<double>(done - before_) / seconds;
    line += ", " + rate(per_second);
    if (total_ > 0)
      line += ", " + base::clock_text(static_cast<double>(total_ - done) / per_second) + " left";
  }
  if (!note.empty()) line += ", " + note;
  std::cerr << "\r\x1b[K" << line.substr(0, terminal_columns() - 1) << std::flush;
}

void Progress::hide() {
  if (visible_) std::cerr << "\r\x1b[K" << std::flush;
  visible_ = false;
}

}  // namespace cli
