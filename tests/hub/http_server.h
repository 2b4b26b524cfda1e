#pragma once

#include "tests/hub/tls.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace test {

struct HttpRequest {
  std::string method;
  std::string target;                          ///< as sent, with a query if there is one
  std::map<std::string, std::string> headers;  ///< names in lower case

  std::string header(const std::string& name) const {
    const auto entry = headers.find(name);
    return entry == headers.end() ? "" : entry->second;
  }
};

/// An answer, right or wrong.
struct HttpReply {
  int status = 200;
  std::map<std::string, std::string> headers = {};  ///< Content-Length comes by itself
  std::string body = {};
  bool announce_length = true;
  std::size_t cut_after = SIZE_MAX;    ///< bytes of the body, then the connection ends
  std::size_t stall_after = SIZE_MAX;  ///< bytes of the body, then silence
  std::chrono::milliseconds pause{0};  ///< between pieces of the body
  std::string raw = {};                ///< sent instead of all that
};

/// An HTTP server on a port of 127.0.0.1 that says exactly what it is told to, one request for each
/// connection; HTTPS with a `tls`.
class HttpServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;
  explicit HttpServer(Handler handler, const Tls* tls = nullptr);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url() const;
  std::vector<HttpRequest> requests() const;  ///< so far

 private:
  void accept_connections();
  void serve(int descriptor);
  void send_reply(Connection& connection, const HttpReply& reply, bool with_body);

  Handler handler_;
  const Tls* tls_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::vector<std::thread> workers_;  // of the accepting thread alone, until that has ended
  std::thread accepting_;
};

}  // namespace test
