#include "tests/distributed/peers.h"

#include "tests/support/catch.h"

#include <thread>

namespace test {

std::unique_ptr<Process> start_peer(int rank, int size, uint16_t port,
                                    const std::vector<std::string>& words, double meet,
                                    double call) {
  std::vector<std::string> command = {VITOME_PEER, words.front(), std::to_string(meet),
                                      std::to_string(call)};
  command.insert(command.end(), words.begin() + 1, words.end());
  ProcessOptions options;
  options.environment = process_variables(rank, size, port);
  return std::make_unique<Process>(command, options);
}

Peers start_peers(int size, const std::vector<std::string>& words, double meet, double call) {
  const uint16_t port = free_port();
  Peers peers;
  for (int rank = 0; rank < size; ++rank)
    peers.push_back(start_peer(rank, size, port, words, meet, call));
  return peers;
}

std::vector<Finished> wait_for(const Peers& peers) {
  std::vector<Finished> ends;
  for (const auto& peer : peers) ends.push_back(peer->wait());
  return ends;
}

void wait_for_output(const Process& process, const std::string& text) {
  for (bool runs = true; runs;) {
    runs = process.running();
    if (process.out().find(text) != std::string::npos) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  FAIL("ended without '" << text << "'");
}

}  // namespace test
