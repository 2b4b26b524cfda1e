#include <array>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <distributed/local_address.h>

namespace distributed {
namespace {

std::optional<std::string> address_towards(const addrinfo& target) {
  const int handle = socket(target.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (handle < 0) return {};
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  // Connecting a datagram socket sends nothing, it only looks up the way.
  const bool known = ::connect(handle, target.ai_addr, target.ai_addrlen) == 0 &&
                     getsockname(handle, reinterpret_cast<sockaddr*>(&own), &length) == 0;
  close(handle);
  std::array<char, NI_MAXHOST> text{};
  if (!known || getnameinfo(reinterpret_cast<const sockaddr*>(&own), length, text.data(),
                            text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return {};
  return text.data();
}

}  // namespace

std::optional<std::string> local_address(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  // Any port will do, but connecting takes one.
  if (getaddrinfo(host.c_str(), "9", &wanted, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> targets(found, freeaddrinfo);
  for (const addrinfo* target = targets.get(); target; target = target->ai_next)
    if (auto address = address_towards(*target)) return address;
  return {};
}

}  // namespace distributed
