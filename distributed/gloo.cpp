// LibTorch has Gloo inside, but not its headers; these come from elsewhere and may be of another
// version. So nothing of Gloo's own is called here: c10d only holds pointers to it.
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <cstdlib>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <base/text.h>
#include <distributed/backends.h>
#include <distributed/local_address.h>

namespace distributed {

c10::intrusive_ptr<c10d::Backend> make_gloo(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                            int size, const std::string& host,
                                            std::chrono::milliseconds timeout) {
  using Gloo = c10d::ProcessGroupGloo;
  auto options = Gloo::Options::create(timeout);
  const char* interfaces = std::getenv("GLOO_SOCKET_IFNAME");
  if (interfaces && *interfaces) {
    for (const std::string& name : base::split(interfaces, ','))
      options->devices.push_back(Gloo::createDeviceForInterface(name));
  } else if (const auto address = local_address(host)) {
    options->devices.push_back(Gloo::createDeviceForHostname(*address));
  } else {
    options->devices.push_back(Gloo::createDefaultDevice());
  }
  return c10::make_intrusive<Gloo>(store, rank, size, options);
}

}  // namespace distributed
