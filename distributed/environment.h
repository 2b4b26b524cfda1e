#pragma once

#include <cstdint>
#include <string>

namespace distributed {

/// What the environment says of the processes that work together, in the words of torchrun.
struct Environment {
  int64_t rank = 0;   ///< RANK
  int64_t size = 1;   ///< WORLD_SIZE
  std::string host;   ///< MASTER_ADDR; only of several processes, like what follows
  uint16_t port = 0;  ///< MASTER_PORT
  /// A launcher serves the meeting point at host:port itself (TORCHELASTIC_USE_AGENT_STORE);
  /// otherwise process 0 does.
  bool served = false;
  /// How often the launcher has started the job anew (TORCHELASTIC_RESTART_COUNT).
  std::string attempt = "0";
};

/// One process of its own if neither RANK nor WORLD_SIZE is set. Throws base::Error that names the
/// variable that is missing or wrong, and what to do.
Environment read_environment();

}  // namespace distributed
