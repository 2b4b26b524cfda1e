#pragma once

#include <memory>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace test {

/// A certificate authority made up for the occasion and a server certificate that it signed, for
/// an IP address.
class Tls {
 public:
  explicit Tls(const std::string& address = "127.0.0.1");
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  ssl_ctx_st* server() const { return server_; }
  /// What a client that is to trust the server must know, as PEM.
  const std::string& authority() const { return authority_; }

 private:
  ssl_ctx_st* server_ = nullptr;
  std::string authority_;
};

/// An accepted connection, encrypted or not.
class Connection {
 public:
  /// Takes over the descriptor; shakes hands if there is a `tls`.
  Connection(int descriptor, ssl_ctx_st* tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool receive(char& byte);
  bool send_all(const char* data, std::size_t size);
  /// Whether the other side has closed, without waiting.
  bool is_closed() const;

 private:
  int descriptor_;
  ssl_st* ssl_ = nullptr;
  bool good_ = true;
};

}  // namespace test
