#include "tests/support/catch.h"

#include <vector>

#include <tome/schedule.h>
#include <vit/error.h>

namespace {

std::vector<int64_t> merged(const tome::Schedule& schedule, int64_t depth, int64_t tokens,
                            int64_t prefix) {
  std::vector<int64_t> result;
  for (int64_t layer = 0; layer < depth; ++layer) {
    result.push_back(schedule.merged({layer, depth, tokens, prefix}));
    tokens -= result.back();
  }
  return result;
}

using List = std::vector<int64_t>;

}  // namespace

TEST_CASE("schedules merge what they say") {
  CHECK(merged(8, 4, 65, 1) == List{8, 8, 8, 8});
  CHECK(merged(tome::Schedule::linear(8, -1.0), 4, 65, 1) == List{16, 10, 5, 0});
  CHECK(merged(tome::Schedule::linear(8, 1.0), 4, 65, 1) == List{0, 5, 10, 16});
  CHECK(merged(List{0, 40, 5}, 4, 65, 1) == List{0, 32, 5, 0});
  CHECK(merged(tome::Schedule::keep_ratio(0.5), 3, 33, 1) == List{16, 8, 4});
  CHECK(merged(tome::Schedule::keep_ratio(0.1), 2, 33, 1) == List{16, 8});
  CHECK(merged(tome::Schedule::linear(5, 1.0), 1, 65, 1) == List{5});  // no slope in one layer
}

TEST_CASE("no schedule merges more than half of the patch tokens") {
  CHECK(merged(100, 3, 11, 1) == List{5, 2, 1});
  CHECK(merged(100, 2, 6, 5) == List{0, 0});
  CHECK(merged(100, 1, 1, 0) == List{0});
}

TEST_CASE("schedules are read and written in one form") {
  for (const char* text : {"13", "0", "13,-1", "6,0.5", "[8,0,8,4]", "[]", "keep=0.9"}) {
    CAPTURE(text);
    CHECK(tome::Schedule::parse(text).to_string() == text);
  }
  CHECK(tome::Schedule::parse("13,-1.0").to_string() == "13,-1");
  CHECK(tome::Schedule::parse("[ 8 , 4 ]").to_string() == "[8,4]");
  CHECK(tome::Schedule::parse("0").empty());
  CHECK(tome::Schedule::parse("[0,0]").empty());
  CHECK(tome::Schedule::parse("keep=1").empty());
  CHECK_FALSE(tome::Schedule::parse("[0,1]").empty());
}

TEST_CASE("schedules that make no sense are refused with the forms that do") {
  for (const char* text : {"", "x", "13,", ",1", "13,0,1", "[8,0", "8,0]", "[8,,1]", "[8,]", "1.5",
                           "keep=", "keep=x", "13 4"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(tome::Schedule::parse(text), Catch::ContainsSubstring("keep=0.9"));
  }
  for (const char* text :
       {"-3", "13,2", "13,nan", "[-1]", "keep=0", "keep=1.5", "keep=nan", "99999999"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(tome::Schedule::parse(text), vit::Error);
  }
}
