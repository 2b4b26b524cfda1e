#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <base/error.h>
#include <hub/settings.h>

namespace hub {

/// The caller asked to stop; what is already here is kept.
class Interrupted : public base::Error {
 public:
  Interrupted() : Error("interrupted") {}
};

/// No answer, or only a part of one.
class TransportError : public base::Error {
 public:
  enum class Kind {
    unreachable,  ///< there was no connection at all
    cut,          ///< it ended early or went silent
    fatal,        ///< trying again will not help
  };
  /// what() is both texts.
  TransportError(Kind kind, const std::string& message, const std::string& advice = "")
      : Error(message + advice), kind_(kind), message_(message) {}
  Kind kind() const { return kind_; }
  const std::string& message() const { return message_; }

 private:
  Kind kind_;
  std::string message_;
};

struct Request {
  bool head = false;  ///< only the headers
  std::string url;
  std::string token;    ///< sent as "Authorization: Bearer …" unless empty
  uint64_t offset = 0;  ///< "Range: bytes=OFFSET-" unless 0
  /// For the whole answer; without it only a connection that goes silent ends.
  std::optional<std::chrono::seconds> limit;
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string url;
  std::string redirect;                             ///< absolute; empty if this is no redirect
  std::optional<std::chrono::seconds> retry_after;  ///< the server's wish

  bool ok() const { return status >= 200 && status < 300; }
  /// Empty if there is none.
  std::string header(const std::string& name) const;
  std::optional<uint64_t> content_length() const;
};

/// Receives the body of an answer of status 2xx. What it throws ends the transfer and comes out of
/// Client::send().
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void begin(const Response& response) = 0;  ///< once, even if the body is empty
  virtual void write(const char* data, std::size_t size) = 0;
};

/// Talks HTTP through libcurl, which also reads the proxy variables. Connections stay open between
/// requests. Not for several threads at once.
class Client {
 public:
  Client(const Settings& settings, std::function<bool()> cancelled);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// One request and its answer, whatever its status; redirects are not followed. Throws
  /// TransportError, Interrupted, and what `sink` throws.
  Response send(const Request& request, Sink* sink = nullptr);

 private:
  struct Exchange;
  void prepare(const Request& request, Exchange& exchange);

  const Settings& settings_;
  std::function<bool()> cancelled_;
  void* curl_;
};

/// Scheme, host, and the port unless it is the usual one. Throws base::Error if `url` is no http or
/// https address.
std::string origin(const std::string& url);

/// An unsigned decimal number and nothing else.
std::optional<uint64_t> parse_size(const std::string& text);

}  // namespace hub
