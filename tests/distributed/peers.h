#pragma once

#include "tests/support/process.h"

#include <memory>
#include <string>
#include <vector>

namespace test {

/// Processes of the test program, as many as WORLD_SIZE says or fewer.
using Peers = std::vector<std::unique_ptr<Process>>;

/// Starts `size` processes that do `words`, with that many seconds to meet and for each call.
Peers start_peers(int size, const std::vector<std::string>& words, double meet = 200,
                  double call = 200);

/// One of them alone.
std::unique_ptr<Process> start_peer(int rank, int size, uint16_t port,
                                    const std::vector<std::string>& words, double meet = 200,
                                    double call = 200);

/// Their ends, by rank.
std::vector<Finished> wait_for(const Peers& peers);

/// Returns when the process has written `text`. Fails the test if it ends before.
void wait_for_output(const Process& process, const std::string& text);

}  // namespace test
