#include "tests/distributed/variables.h"
#include "tests/support/catch.h"

#include <distributed/group.h>

TEST_CASE("a program that works as one process says why it cannot work as two") {
  const test::Variables variables{
      {"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", "29500"}};
  REQUIRE_THROWS_WITH(distributed::group_from_environment(torch::kCPU),
                      Catch::ContainsSubstring("WORLD_SIZE is 2, but this program was built to "
                                               "work as one process: " VITOME_NOT_DISTRIBUTED));
}
