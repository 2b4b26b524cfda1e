#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cli {

/// A bar on standard error with the rate and the time that is left; nothing if that is no terminal.
class Progress {
 public:
  /// `total` things called `unit` ("pictures") are to be done. Of "bytes" it shows megabytes.
  Progress(int64_t total, std::string unit);
  ~Progress() { hide(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void set_total(int64_t total) { total_ = total; }

  /// Begins anew with `done` things that took no time, for rate and time left.
  void restart(int64_t done);

  /// Shows that `done` of them are ready, with a word on what is going on.
  void update(int64_t done, const std::string& note = "");

  /// Clears the line, so that other output can take its place; the next update() shows it again.
  void hide();

 private:
  using Clock = std::chrono::steady_clock;
  std::string amounts(int64_t done) const;
  std::string rate(double per_second) const;

  int64_t total_;
  std::string unit_;
  bool enabled_;
  bool visible_ = false;
  int64_t before_ = 0;  // done when the clock started
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_{};
};

}  // namespace cli
