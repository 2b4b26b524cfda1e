#include "tests/distributed/peers.h"
#include "tests/support/catch.h"

#include <chrono>
#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using Catch::ContainsSubstring;
using test::Finished;
using test::free_port;
using test::start_peer;
using test::start_peers;
using test::wait_for;

namespace {

// A socket that listens on a free port of 127.0.0.1, but answers nobody.
class Listener {
 public:
  Listener() : handle_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(free_port()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    REQUIRE(bind(handle_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(handle_, 8) == 0);
  }
  ~Listener() { close(handle_); }
  uint16_t port() const { return port_; }

 private:
  int handle_;
  uint16_t port_;
};

std::string local(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

TEST_CASE("when a process is killed, the others end with an error") {
  const int killed = GENERATE(0, 1, 2);
  // Far less than the ten minutes after which a process is late: wait() gives them four.
  auto peers = start_peers(3, {"forever"}, 200, 600);
  for (const auto& peer : peers) wait_for_output(*peer, "ready");
  peers[static_cast<std::size_t>(killed)]->signal(SIGKILL);
  const auto ends = wait_for(peers);
  for (int rank = 0; rank < 3; ++rank) {
    const Finished& end = ends[static_cast<std::size_t>(rank)];
    INFO(end.err);
    REQUIRE(end.status == (rank == killed ? 128 + SIGKILL : 1));
    if (rank != killed)
      REQUIRE_THAT(end.err,
                   ContainsSubstring("process " + std::to_string(rank) + " of 3 lost another one"));
  }
}

TEST_CASE("a process that hangs is an error after the time for a call") {
  auto peers = start_peers(2, {"forever"}, 200, 20);
  for (const auto& peer : peers) wait_for_output(*peer, "ready");
  peers[1]->signal(SIGSTOP);
  const Finished end = peers[0]->wait();
  INFO(end.err);
  REQUIRE(end.status == 1);
  REQUIRE_THAT(end.err, ContainsSubstring("lost another one, which has ended or is late"));
}

TEST_CASE("the time to meet does not limit calls") {
  for (const Finished& end : wait_for(start_peers(2, {"barriers", "21"}, 20, 200))) {
    INFO(end.err);
    REQUIRE(end.status == 0);
  }
}

TEST_CASE("processes that do not do the same say so") {
  const auto ends = wait_for(start_peers(2, {"differ"}));
  for (const Finished& end : ends) {
    REQUIRE(end.status == 1);
    REQUIRE_THAT(end.err, ContainsSubstring("barrier: the processes do not do the same"));
    REQUIRE_THAT(end.err, ContainsSubstring("all_reduce_sum of 1 tensors: Float[3]"));
    REQUIRE_THAT(end.err, ContainsSubstring("all_reduce_sum of 1 tensors: Float[4]"));
  }
  for (const Finished& end : wait_for(start_peers(2, {"different calls"}))) {
    REQUIRE(end.status == 1);
    REQUIRE_THAT(end.err, ContainsSubstring("process 0") && ContainsSubstring("at barrier"));
    REQUIRE_THAT(end.err, ContainsSubstring("process 1") && ContainsSubstring("at broadcast of 1"));
  }
}

TEST_CASE("a leader whom nobody joins names those who are missing") {
  const uint16_t port = free_port();
  const Finished end = start_peer(0, 3, port, {"meet"}, 1)->wait();
  REQUIRE(end.status == 1);
  REQUIRE_THAT(end.err, ContainsSubstring("process 0 waited 1 s at " + local(port)) &&
                            ContainsSubstring("RANK 1, 2 did not come"));
}

TEST_CASE("a process that finds no leader names the place") {
  const uint16_t port = free_port();
  const Finished end = start_peer(1, 2, port, {"meet"}, 1)->wait();
  REQUIRE(end.status == 1);
  REQUIRE_THAT(end.err, ContainsSubstring("process 1 of 2 found nobody at " + local(port)));
}

TEST_CASE("a leader whose port is taken says so") {
  const Listener other;
  const Finished end = start_peer(0, 2, other.port(), {"meet"}, 200)->wait();
  REQUIRE(end.status == 1);
  REQUIRE_THAT(end.err, ContainsSubstring("process 0 of 2 cannot serve the others at " +
                                          local(other.port())) &&
                            ContainsSubstring("Set another MASTER_PORT"));
}

TEST_CASE("a process does not wait for ever for a leader that is something else") {
  const Listener other;
  const Finished end = start_peer(1, 2, other.port(), {"meet"}, 2)->wait();
  INFO(end.err);
  REQUIRE(end.status == 1);
  REQUIRE_THAT(end.err,
               ContainsSubstring("process 1 of 2 found nobody at " + local(other.port())) &&
                   ContainsSubstring("something answers there that is not process 0"));
}

TEST_CASE("errors are one line, without LibTorch's own messages") {
  for (const int rank : {0, 1}) {
    const Finished end = start_peer(rank, 2, free_port(), {"meet"}, 1)->wait();
    REQUIRE(std::count(end.err.begin(), end.err.end(), '\n') == 1);
    REQUIRE(end.err.starts_with("process " + std::to_string(rank)));
  }
}

TEST_CASE("processes that contradict each other are told") {
  const uint16_t port = free_port();
  const auto leader = start_peer(0, 3, port, {"meet"}, 200);
  const Finished other_size = start_peer(1, 2, port, {"meet"}, 200)->wait();
  REQUIRE(other_size.status == 1);
  REQUIRE_THAT(other_size.err,
               ContainsSubstring("process 1 has WORLD_SIZE=2") && ContainsSubstring("has 3"));
  const auto first = start_peer(1, 3, port, {"meet"}, 200);
  const auto second = start_peer(1, 3, port, {"meet"}, 200);
  while (first->running() && second->running())
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto third = start_peer(2, 3, port, {"meet"}, 200);
  const Finished one = first->wait(), two = second->wait();
  REQUIRE(one.status + two.status == 1);
  REQUIRE(one.out + two.out == "1 of 3\n");
  REQUIRE_THAT(one.err + two.err,
               ContainsSubstring("two processes") && ContainsSubstring("have RANK=1"));
  REQUIRE(leader->wait().out == "0 of 3\n");
  REQUIRE(third->wait().out == "2 of 3\n");
}
