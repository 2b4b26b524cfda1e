#include <algorithm>
#include <thread>

#include <base/text.h>
#include <hub/retry.h>

namespace hub {
namespace {

constexpr int kAttemptsToConnect = 3;
constexpr std::chrono::milliseconds kLongestPause{8000};

constexpr int kRequestTimeout = 408;
constexpr int kTooManyRequests = 429;
constexpr int kNotImplemented = 501;

bool is_transient(int status) {
  return status == kRequestTimeout || status == kTooManyRequests ||
         (status >= 500 && status != kNotImplemented);
}

// Seconds until requests are allowed again, from the header `RateLimit: "api";r=0;t=55`.
std::optional<std::chrono::seconds> rate_limit_reset(const Response& response) {
  bool exhausted = false;
  std::optional<int64_t> seconds;
  for (const std::string& part : base::split(response.header("ratelimit"), ';')) {
    if (part == "r=0") exhausted = true;
    if (part.starts_with("t=")) seconds = base::parse_integer(part.substr(2));
  }
  if (!exhausted || !seconds || *seconds < 0) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

}  // namespace

void wait(std::chrono::milliseconds time, Monitor& monitor) {
  constexpr std::chrono::milliseconds kStep{50};
  const auto end = std::chrono::steady_clock::now() + time;
  for (auto now = end - time; now < end; now = std::chrono::steady_clock::now()) {
    if (monitor.cancelled()) throw Interrupted();
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(kStep, end - now));
  }
}

bool Retry::after(const TransportError& error) {
  if (error.kind() == TransportError::Kind::fatal) return false;
  const bool unreachable = error.kind() == TransportError::Kind::unreachable;
  return pause(error.message(),
               unreachable ? std::min(kAttemptsToConnect, settings_.attempts) : settings_.attempts,
               std::nullopt);
}

bool Retry::after(const Response& response) {
  if (!is_transient(response.status)) return false;
  const auto asked = response.retry_after ? response.retry_after : rate_limit_reset(response);
  if (asked && *asked > settings_.longest_wait) return false;
  return pause(origin(response.url) + " answered HTTP " + std::to_string(response.status),
               settings_.attempts, asked);
}

bool Retry::pause(const std::string& reason, int attempts,
                  std::optional<std::chrono::seconds> asked) {
  if (++failures_ >= attempts) return false;
  auto time = std::min(kLongestPause, settings_.backoff * (1 << std::min(failures_ - 1, 10)));
  if (asked) time = std::max(time, std::chrono::milliseconds(*asked));
  monitor_.note(reason + "; trying again in " +
                base::fixed(static_cast<double>(time.count()) / 1000, 0) + " s");
  wait(time, monitor_);
  return true;
}

}  // namespace hub
