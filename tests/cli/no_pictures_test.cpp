#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using Catch::ContainsSubstring;

TEST_CASE("a build without media says so where pictures are asked for") {
  const auto classify = test::vitome({"classify", "photo.jpg"});
  CHECK(classify.status == 1);
  CHECK_THAT(classify.err, ContainsSubstring("no picture support"));
  const auto eval = test::vitome({"eval", "photos/"});
  CHECK(eval.status == 1);
  CHECK_THAT(eval.err, ContainsSubstring("-DVITOME_MEDIA=ON"));
  const test::TempDir temp;
  const auto forward = test::vitome(
      {"forward", "--input", "photo.jpg", "--output", (temp / "out.safetensors").string()});
  CHECK(forward.status == 1);
  CHECK_THAT(forward.err, ContainsSubstring("-DVITOME_MEDIA=ON"));
}
