#include "tests/hub/fake_hub.h"

#include <openssl/sha.h>
#include <sstream>

#include <nlohmann/json.hpp>

namespace test {
namespace {

constexpr std::string_view kResolve = "/org/model/resolve/";
constexpr std::string_view kListing = "/api/models/org/model/revision/";

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  std::ostringstream text;
  for (std::size_t i = 0; i < size; ++i)
    text << "0123456789abcdef"[bytes[i] / 16] << "0123456789abcdef"[bytes[i] % 16];
  return text.str();
}

bool is_small(const std::string& file) {
  return file.ends_with(".json") || file.ends_with(".txt") || file.ends_with(".md");
}

// The part of a content that a request asks for.
HttpReply content_reply(const HttpRequest& request, const std::string& content) {
  HttpReply reply;
  reply.body = content;
  const std::string range = request.header("range");
  if (range.empty()) return reply;
  const std::size_t start = std::stoull(range.substr(std::string("bytes=").size()));
  if (start >= content.size()) {
    reply.status = 416;
    reply.body.clear();
    return reply;
  }
  reply.status = 206;
  reply.body = content.substr(start);
  reply.headers["Content-Range"] = "bytes " + std::to_string(start) + "-" +
                                   std::to_string(content.size() - 1) + "/" +
                                   std::to_string(content.size());
  return reply;
}

}  // namespace

std::string sha256(const std::string& content) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest);
  return hexadecimal(digest, sizeof digest);
}

std::string git_sha1(const std::string& content) {
  const std::string blob = "blob " + std::to_string(content.size()) + '\0' + content;
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(blob.data()), blob.size(), digest);
  return hexadecimal(digest, sizeof digest);
}

std::string made_up_content(std::size_t size) {
  std::string content;
  content.reserve(size + 32);
  for (std::size_t i = 0; content.size() < size; ++i) content += std::to_string(i * 7919) + ",";
  content.resize(size);
  return content;
}

FakeHub::FakeHub(const Tls* tls)
    : files{{"config.json", R"({"architecture": "vit_tiny_patch16_224"})"},
            {"model.safetensors", made_up_content(300'000)},
            {"README.md", "A model."}} {
  blobs_ = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) {
        if (blob_fault)
          if (auto reply = blob_fault(request)) return *reply;
        return blob_reply(request);
      },
      tls);
  hub_ = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) {
        if (hub_fault)
          if (auto reply = hub_fault(request)) return *reply;
        return hub_reply(request);
      },
      tls);
}

std::size_t FakeHub::request_count() const {
  return hub_->requests().size() + blobs_->requests().size();
}

HttpReply FakeHub::blob_reply(const HttpRequest& request) const {
  for (const auto& [name, content] : files)
    if (request.target == "/blobs/" + sha256(content) + "?signature=1")
      return content_reply(request, content);
  return {.status = 404};
}

HttpReply FakeHub::hub_reply(const HttpRequest& request) const {
  if (request.target.starts_with(kListing)) return listing(request.target.substr(kListing.size()));
  if (!request.target.starts_with(kResolve))
    return {.status = 404, .headers = {{"X-Error-Code", "RepoNotFound"}}};
  const std::string rest = request.target.substr(kResolve.size());
  const std::string revision = rest.substr(0, rest.find('/'));
  if (revision != "main" && revision != kCommit)
    return {.status = 404, .headers = {{"X-Error-Code", "RevisionNotFound"}}};
  return resolve(request, rest.substr(rest.find('/') + 1));
}

HttpReply FakeHub::listing(const std::string& revision) const {
  if (revision != "main" && revision != "refs%2Fpr%2F1" && revision != kCommit)
    return {.status = 404, .headers = {{"X-Error-Code", "RevisionNotFound"}}};
  nlohmann::json json = {
      {"id", "org/model"}, {"sha", kCommit}, {"siblings", nlohmann::json::array()}};
  for (const auto& [name, content] : files) json["siblings"].push_back({{"rfilename", name}});
  return {.headers = {{"Content-Type", "application/json"}}, .body = json.dump()};
}

HttpReply FakeHub::resolve(const HttpRequest& request, const std::string& file) const {
  const auto entry = files.find(file);
  HttpReply reply;
  if (entry == files.end()) {
    reply.status = 404;
    reply.headers["X-Error-Code"] = "EntryNotFound";
  } else if (is_small(file)) {
    reply = content_reply(request, entry->second);
    reply.headers["ETag"] = "\"" + git_sha1(entry->second) + "\"";
  } else {
    reply.status = 302;
    reply.body = "Found. Redirecting";
    reply.headers["Location"] = blobs_->url() + "/blobs/" + sha256(entry->second) + "?signature=1";
    reply.headers["X-Linked-Etag"] = "\"" + sha256(entry->second) + "\"";
    reply.headers["X-Linked-Size"] = std::to_string(entry->second.size());
  }
  reply.headers["X-Repo-Commit"] = kCommit;
  return reply;
}

hub::Settings FakeHub::settings(const TempDir& cache) const {
  hub::Settings settings;
  settings.endpoint = hub_->url();
  settings.cache = cache.path();
  settings.token = "hf_secret";
  settings.backoff = std::chrono::milliseconds(5);
  // On a busy machine it may take a while until anything comes.
  settings.stall_timeout = std::chrono::seconds(100);
  return settings;
}

void Notes::progress(uint64_t done, uint64_t total, const std::string&) {
  done_ = done;
  total_ = total;
}

}  // namespace test
