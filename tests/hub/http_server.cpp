#include "tests/hub/http_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace test {
namespace {

constexpr std::size_t kPiece = 16 * 1024;
constexpr std::size_t kMaxHead = 64 * 1024;
constexpr int kPollMilliseconds = 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return tolower(c); });
  return text;
}

HttpRequest parse(const std::string& head) {
  HttpRequest request;
  std::istringstream lines(head);
  lines >> request.method >> request.target;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.size() > 1) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    request.headers[lower(line.substr(0, colon))] =
        line.substr(colon + 2, line.size() - colon - 3);  // without "\r"
  }
  return request;
}

}  // namespace

HttpServer::HttpServer(Handler handler, const Tls* tls) : handler_(std::move(handler)), tls_(tls) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  constexpr int kBacklog = 64;
  if (listener_ < 0 || bind(listener_, generic, size) != 0 || listen(listener_, kBacklog) != 0 ||
      getsockname(listener_, generic, &size) != 0)
    throw std::runtime_error("no server on 127.0.0.1");
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { accept_connections(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  accepting_.join();
  for (std::thread& worker : workers_) worker.join();
  close(listener_);
}

std::string HttpServer::url() const {
  return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_);
}

std::vector<HttpRequest> HttpServer::requests() const {
  const std::lock_guard guard(mutex_);
  return requests_;
}

void HttpServer::accept_connections() {
  while (!stopping_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kPollMilliseconds) <= 0) continue;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) workers_.emplace_back([this, connection] { serve(connection); });
  }
}

void HttpServer::serve(int descriptor) {
  Connection connection(descriptor, tls_ ? tls_->server() : nullptr);
  std::string head;
  char byte = 0;
  while (head.size() < kMaxHead && !head.ends_with("\r\n\r\n") && connection.receive(byte))
    head += byte;
  if (head.ends_with("\r\n\r\n")) {
    const HttpRequest request = parse(head);
    {
      const std::lock_guard guard(mutex_);
      requests_.push_back(request);
    }
    send_reply(connection, handler_(request), request.method != "HEAD");
  }
}

void HttpServer::send_reply(Connection& connection, const HttpReply& reply, bool with_body) {
  if (!reply.raw.empty()) {
    connection.send_all(reply.raw.data(), reply.raw.size());
    return;
  }
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Status\r\n";
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  if (reply.announce_length && !reply.headers.contains("Content-Length"))
    head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  head += "Connection: close\r\n\r\n";
  if (!connection.send_all(head.data(), head.size()) || !with_body) return;
  const std::size_t end = std::min({reply.body.size(), reply.cut_after, reply.stall_after});
  for (std::size_t sent = 0; sent < end; sent += kPiece) {
    if (!connection.send_all(reply.body.data() + sent, std::min(kPiece, end - sent))) return;
    const auto end_of_pause = std::chrono::steady_clock::now() + reply.pause;
    while (std::chrono::steady_clock::now() < end_of_pause) {
      if (stopping_ || connection.is_closed()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMilliseconds));
    }
  }
  // Until the other side gives up.
  while (reply.stall_after < reply.body.size() && !stopping_) {
    if (connection.is_closed()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMilliseconds));
  }
}

}  // namespace test
