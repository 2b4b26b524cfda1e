#include "tests/distributed/variables.h"
#include "tests/support/catch.h"

#include <distributed/environment.h>
#include <distributed/group.h>
#include <vit/error.h>

using Catch::ContainsSubstring;
using distributed::read_environment;
using test::Variables;

TEST_CASE("without RANK and WORLD_SIZE there is one process") {
  const Variables variables{{"MASTER_ADDR", "nowhere"}, {"MASTER_PORT", "x"}};
  const auto group = distributed::group_from_environment(torch::kCPU);
  REQUIRE(group->size() == 1);
  REQUIRE(group->rank() == 0);
  REQUIRE(group->leader());
  const at::Tensor tensor = torch::arange(3);
  group->all_reduce_sum({tensor});
  group->broadcast({tensor});
  REQUIRE(torch::equal(tensor, torch::arange(3)));
  REQUIRE(group->all_gather("mine") == std::vector<std::string>{"mine"});
  group->barrier();
}

TEST_CASE("empty variables and a world of one process need no others") {
  {
    const Variables variables{{"RANK", ""}, {"WORLD_SIZE", ""}};
    REQUIRE(distributed::group_from_environment(torch::kCPU)->size() == 1);
  }
  const Variables variables{{"RANK", "0"}, {"WORLD_SIZE", "1"}};
  REQUIRE(distributed::group_from_environment(torch::kCPU)->size() == 1);
}

TEST_CASE("the environment of a process among several is read") {
  const Variables variables{{"RANK", "2"},
                            {"WORLD_SIZE", "3"},
                            {"MASTER_ADDR", "::1"},
                            {"MASTER_PORT", "65535"},
                            {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                            {"TORCHELASTIC_RESTART_COUNT", "4"}};
  const auto environment = read_environment();
  REQUIRE(environment.rank == 2);
  REQUIRE(environment.size == 3);
  REQUIRE(environment.host == "::1");
  REQUIRE(environment.port == 65535);
  REQUIRE(environment.served);
  REQUIRE(environment.attempt == "4");
}

TEST_CASE("a wrong environment is an error that names the variable") {
  const auto [rank, size, host, port, message] =
      GENERATE(table<const char*, const char*, const char*, const char*, const char*>(
          {{"0", "", "h", "1", "WORLD_SIZE is not set, but RANK is"},
           {"", "2", "h", "1", "RANK is not set, but WORLD_SIZE is more than 1"},
           {"x", "2", "h", "1", "RANK is 'x', expected a number from 0"},
           {"-1", "2", "h", "1", "RANK is '-1', expected a number from 0"},
           {"1", "two", "h", "1", "WORLD_SIZE is 'two', expected a number from 1"},
           {"0", "0", "h", "1", "WORLD_SIZE is '0', expected a number from 1"},
           {"0", "2000000000", "h", "1", "WORLD_SIZE is '2000000000', expected a number from 1 to"},
           {"0", "99999999999999999999", "h", "1", "WORLD_SIZE is '99999999999999999999'"},
           {"2", "2", "h", "1", "RANK is 2 and WORLD_SIZE 2"},
           {"1", "1", "h", "1", "RANK is 1 and WORLD_SIZE 1"},
           {"0", "2", "", "1", "MASTER_ADDR is not set"},
           {"0", "2", "h", "", "MASTER_PORT is not set"},
           {"0", "2", "h", "0", "MASTER_PORT is '0', expected a number from 1 to 65535"},
           {"0", "2", "h", "65536", "MASTER_PORT is '65536'"},
           {"0", "2", "h", "\033[2J", "MASTER_PORT is '"}}));
  const Variables variables{
      {"RANK", rank}, {"WORLD_SIZE", size}, {"MASTER_ADDR", host}, {"MASTER_PORT", port}};
  REQUIRE_THROWS_WITH(read_environment(), ContainsSubstring(message));
  REQUIRE_THROWS_AS(distributed::group_from_environment(torch::kCPU), vit::Error);
}

TEST_CASE("LOCAL_RANK chooses among the GPUs of a machine") {
  const c10::Device any(torch::kCUDA);
  const c10::Device third(torch::kCUDA, 2);
  {
    const Variables variables{{"LOCAL_RANK", "2"}};
    REQUIRE(distributed::local_device(any) == third);
    REQUIRE(distributed::local_device({torch::kCUDA, 1}) == c10::Device(torch::kCUDA, 1));
    REQUIRE(distributed::local_device(torch::kCPU) == c10::Device(torch::kCPU));
  }
  {
    const Variables variables{{"LOCAL_RANK", "1000"}};
    REQUIRE_THROWS_WITH(distributed::local_device(any), ContainsSubstring("LOCAL_RANK is '1000'"));
  }
  const Variables variables{};
  REQUIRE(distributed::local_device(any) == any);
}
