#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <hub/http.h>
#include <hub/monitor.h>
#include <hub/settings.h>

namespace hub {

/// Sleeps; throws Interrupted as soon as the monitor says so.
void wait(std::chrono::milliseconds time, Monitor& monitor);

/// Counts the failed attempts at one thing, and waits longer after each.
class Retry {
 public:
  Retry(const Settings& settings, Monitor& monitor) : settings_(settings), monitor_(monitor) {}

  /// Pauses and returns true if another attempt makes sense. A server that cannot be reached at all
  /// gets fewer attempts than one that failed on the way.
  bool after(const TransportError& error);

  /// The same for an answer. Returns false at once if its status is not one that passes by itself.
  bool after(const Response& response);

  /// An attempt got somewhere: the count starts again.
  void reset() { failures_ = 0; }

 private:
  bool pause(const std::string& reason, int attempts, std::optional<std::chrono::seconds> asked);

  const Settings& settings_;
  Monitor& monitor_;
  int failures_ = 0;
};

}  // namespace hub
