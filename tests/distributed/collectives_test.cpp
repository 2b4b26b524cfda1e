#include "tests/distributed/peers.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <limits>
#include <sstream>

using test::Finished;
using test::start_peers;
using test::wait_for;

namespace {

// What each of `size` processes printed; the test fails if one of them failed.
std::vector<std::string> outputs(int size, const std::vector<std::string>& words) {
  std::vector<std::string> texts;
  for (const Finished& end : wait_for(start_peers(size, words))) {
    INFO(end.err);
    REQUIRE(end.status == 0);
    texts.push_back(end.out);
  }
  return texts;
}

}  // namespace

TEST_CASE("all_reduce_sum adds up tensors of all types and sizes in place") {
  const int size = GENERATE(2, 3);
  const int sum = size == 2 ? 3 : 6;  // of rank + 1
  std::ostringstream expected;
  for (const char* type : {"Float", "Double", "Half", "BFloat16", "Byte", "Char", "Int", "Long"})
    expected << type << " [1] 0\n" << type << " [5] " << 10 * sum << '\n';
  expected << "Float [2, 4] " << 8 * sum << "\nFloat [0, 3] 0\nFloat [] " << sum << '\n';
  const auto large = [&](int64_t count, int factor) {
    expected << "Float [" << count << "] " << static_cast<double>(count) * factor * sum << '\n';
  };
  large(5 << 20, 1);
  large(5 << 20, 2);
  large(10 << 20, 3);
  // 16 of the 24 elements are not in the view and keep rank + 1.
  for (std::size_t rank = 0; const std::string& text : outputs(size, {"sums"}))
    REQUIRE(text == expected.str() + "beside the view " +
                        std::to_string(8 * sum + 16 * static_cast<int>(++rank)) + "\n");
}

TEST_CASE("sums of any numbers are the same in all processes, bit for bit") {
  const auto texts = outputs(3, {"noise"});
  REQUIRE(std::count(texts[0].begin(), texts[0].end(), '\n') == 9);
  REQUIRE(texts[1] == texts[0]);
  REQUIRE(texts[2] == texts[0]);
}

TEST_CASE("broadcast gives all processes what the leader has") {
  const auto texts = outputs(3, {"broadcasts"});
  REQUIRE(texts[1] == texts[0]);
  REQUIRE(texts[2] == texts[0]);
  // The leader's own numbers, as a process alone has them.
  const test::Peers alone = start_peers(1, {"broadcasts"});
  REQUIRE(alone.front()->wait().out == texts[0]);
}

TEST_CASE("all_gather returns the texts of all processes by rank") {
  const std::string expected =
      std::string("|||") + "|a|aa|" + "of 0|of 1|of 2|" + std::string("\0\0|\0|\0\0|\n", 9);
  for (const std::string& text : outputs(3, {"texts"})) REQUIRE(text == expected);
}

TEST_CASE("a barrier holds all processes until the last one is there") {
  int64_t last_entered = 0, first_left = std::numeric_limits<int64_t>::max();
  for (const std::string& text : outputs(2, {"barriers", "0.5"})) {
    std::istringstream times(text);
    int64_t entered = 0, left = 0;
    REQUIRE((times >> entered >> left));
    last_entered = std::max(last_entered, entered);
    first_left = std::min(first_left, left);
  }
  REQUIRE(first_left >= last_entered);
}

TEST_CASE("what cannot be summed is refused before anything is sent") {
  for (const std::string& text : outputs(2, {"refuse"})) {
    REQUIRE_THAT(text, Catch::ContainsSubstring("a tensor that processes share is undefined"));
    REQUIRE_THAT(text, Catch::ContainsSubstring("dense tensors only"));
    REQUIRE_THAT(text, Catch::ContainsSubstring("got Bool"));
  }
}
