#include <cstdlib>
#include <limits>
#include <string_view>

#include <base/error.h>
#include <base/text.h>
#include <distributed/environment.h>
#include <distributed/group.h>

namespace distributed {
namespace {

// More than any job has; a slip of the finger must not make lists of billions of processes.
constexpr int64_t kMostProcesses = 65536;

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;  // an empty one counts as unset, as in shells
}

int64_t number(const char* name, int64_t least, int64_t most) {
  const char* text = variable(name);
  const auto value = base::parse_integer(text);
  if (!value || *value < least || *value > most)
    base::fail(name, " is '", base::printable(text), "', expected a number from ", least, " to ",
               most);
  return *value;
}

void require(const char* name, const char* because) {
  if (!variable(name))
    base::fail(name, " is not set, but ", because,
               ". Processes that work together need RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT "
               "(torchrun sets them); for one process unset RANK and WORLD_SIZE");
}

}  // namespace

Environment read_environment() {
  Environment environment;
  if (!variable("RANK") && !variable("WORLD_SIZE")) return environment;
  require("WORLD_SIZE", "RANK is");
  environment.size = number("WORLD_SIZE", 1, kMostProcesses);
  if (environment.size > 1) require("RANK", "WORLD_SIZE is more than 1");
  if (variable("RANK")) environment.rank = number("RANK", 0, std::numeric_limits<int64_t>::max());
  if (environment.rank >= environment.size)
    base::fail("RANK is ", environment.rank, " and WORLD_SIZE ", environment.size,
               ": the processes of a job are numbered from 0 to WORLD_SIZE - 1");
  if (environment.size == 1) return environment;

  require("MASTER_ADDR", "WORLD_SIZE is more than 1");
  require("MASTER_PORT", "WORLD_SIZE is more than 1");
  environment.host = variable("MASTER_ADDR");
  environment.port =
      static_cast<uint16_t>(number("MASTER_PORT", 1, std::numeric_limits<uint16_t>::max()));
  const char* served = variable("TORCHELASTIC_USE_AGENT_STORE");
  environment.served = served && std::string_view(served) == "True";
  if (variable("TORCHELASTIC_RESTART_COUNT"))
    environment.attempt = variable("TORCHELASTIC_RESTART_COUNT");
  return environment;
}

c10::Device local_device(c10::Device device) {
  if (device.is_cpu() || device.has_index() || !variable("LOCAL_RANK")) return device;
  return {device.type(), static_cast<c10::DeviceIndex>(number(
                             "LOCAL_RANK", 0, std::numeric_limits<c10::DeviceIndex>::max()))};
}

}  // namespace distributed
