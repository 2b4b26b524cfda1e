#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace hub {

/// Where models come from and where they are kept. The environment variables are those of Python's
/// huggingface_hub, so that both share one cache.
struct Settings {
  std::string endpoint = "https://huggingface.co";  ///< HF_ENDPOINT, without a slash at the end
  /// HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.
  std::filesystem::path cache;
  /// HF_TOKEN, or the file that `hf auth login` writes (HF_TOKEN_PATH, $HF_HOME/token); may be
  /// empty.
  std::string token;
  bool offline = false;  ///< HF_HUB_OFFLINE
  bool symlinks = true;  ///< unless HF_HUB_DISABLE_SYMLINKS
  /// Certificates to trust instead of the system's: SSL_CERT_FILE, CURL_CA_BUNDLE or
  /// REQUESTS_CA_BUNDLE; may be empty.
  std::string certificates;

  std::chrono::seconds connect_timeout{15};
  std::chrono::seconds answer_timeout{120};  ///< for a whole answer that is no file
  /// With less than `lowest_rate` for so long a connection counts as cut: HF_HUB_DOWNLOAD_TIMEOUT.
  std::chrono::seconds stall_timeout{20};
  int64_t lowest_rate = 1000;               ///< bytes per second
  int attempts = 5;                         ///< without progress, before giving up
  std::chrono::milliseconds backoff{1000};  ///< before the second attempt; doubles every time
  std::chrono::seconds longest_wait{300};   ///< that a server may ask for with Retry-After

  /// Throws base::Error about values that make no sense.
  static Settings from_environment();
};

}  // namespace hub
