#pragma once

#include "tests/hub/http_server.h"
#include "tests/support/temp_dir.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <hub/monitor.h>
#include <hub/settings.h>

namespace test {

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

std::string sha256(const std::string& content);
std::string git_sha1(const std::string& content);

/// Bytes that look like weights: no two places are alike.
std::string made_up_content(std::size_t size);

/// A hub with one model, org/model at branch main, and a second server that keeps its large files,
/// as the real one has. It listens on 127.0.0.1 alone.
class FakeHub {
 public:
  /// A model with config.json (kept by the hub) and model.safetensors (kept elsewhere).
  /// Encrypted if there is a `tls`, which must live longer.
  explicit FakeHub(const Tls* tls = nullptr);

  /// Content of the model; names that end in .json, .txt or .md are kept by the hub itself.
  std::map<std::string, std::string> files;

  /// Asked before the usual answer. Set them before the first request.
  std::function<std::optional<HttpReply>(const HttpRequest&)> hub_fault;
  std::function<std::optional<HttpReply>(const HttpRequest&)> blob_fault;

  const HttpServer& hub() const { return *hub_; }
  const HttpServer& blobs() const { return *blobs_; }
  std::size_t request_count() const;

  /// The right answer of the server that keeps large files, for faults that change it.
  HttpReply blob_reply(const HttpRequest& request) const;

  /// For downloads from this hub into `cache`, quick to try again.
  hub::Settings settings(const TempDir& cache) const;

 private:
  HttpReply hub_reply(const HttpRequest& request) const;
  HttpReply listing(const std::string& revision) const;
  HttpReply resolve(const HttpRequest& request, const std::string& file) const;

  std::unique_ptr<HttpServer> blobs_;
  std::unique_ptr<HttpServer> hub_;
};

/// Keeps what it hears.
class Notes : public hub::Monitor {
 public:
  void progress(uint64_t done, uint64_t total, const std::string& file) override;
  void note(const std::string& text) override { text_ += text + "\n"; }
  bool cancelled() override { return done_ >= cancel_at; }

  uint64_t cancel_at = UINT64_MAX;  ///< bytes
  uint64_t done() const { return done_; }
  uint64_t total() const { return total_; }
  const std::string& text() const { return text_; }

 private:
  uint64_t done_ = 0;
  uint64_t total_ = 0;
  std::string text_;
};

}  // namespace test
