#include "tests/support/catch.h"

#include <memory>
#include <string>

#include <tome/pitome.h>
#include <tome/reducer.h>
#include <tome/reducer_spec.h>
#include <tome/threshold.h>
#include <vit/error.h>

namespace {

template <typename T>
std::shared_ptr<const T> parsed(const std::string& text) {
  const auto reducer = std::dynamic_pointer_cast<const T>(tome::parse_reducer(text));
  REQUIRE(reducer);
  return reducer;
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("reducers are read from text") {
  const auto pitome =
      parsed<tome::PitomeReducer>("pitome:ratio=0.95,variant=bsm/ordered,alpha=0.5,margin=0.9");
  CHECK(pitome->options().ratio == Numbers{0.95});
  CHECK((pitome->options().variants ==
         std::vector{tome::PitomeVariant::bsm, tome::PitomeVariant::ordered}));
  CHECK(pitome->options().alpha == 0.5);
  CHECK(pitome->options().initial_margin == 0.9);
  CHECK(pitome->options().margins.empty());
  CHECK_FALSE(pitome->proportional_attention());
  const auto layers = parsed<tome::PitomeReducer>("pitome:ratio=1/0.9,margin=0.7/0.2,prop-attn=on");
  CHECK(layers->options().ratio == Numbers{1, 0.9});
  CHECK(layers->options().margins == Numbers{0.7, 0.2});
  CHECK(layers->proportional_attention());
  CHECK(parsed<tome::PitomeReducer>("pitome")->options().ratio == Numbers{0.9125});

  const auto threshold = parsed<tome::ThresholdReducer>("threshold:tau=0.8/0.7");
  CHECK(threshold->options().tau == Numbers{0.8, 0.7});
  CHECK(threshold->per_sample());
  CHECK(threshold->proportional_attention());
  CHECK_FALSE(parsed<tome::ThresholdReducer>("threshold:shared=on")->per_sample());

  CHECK(tome::parse_reducer("tome") == nullptr);
  const auto merging = tome::parse_reducer("tome", {.r = 8, .prop_attn = false});
  REQUIRE(std::dynamic_pointer_cast<const tome::Reducer>(merging));
  CHECK(merging->tokens_after({0, 12, 197, 1}) == 189);
  CHECK_FALSE(merging->proportional_attention());
}

TEST_CASE("PiToMe's layers have the margins and counts of its definition") {
  const tome::PitomeReducer reducer({.ratio = {0.9}});
  CHECK(reducer.tokens_after({0, 4, 37, 1}) == 34);
  CHECK(reducer.tokens_after({3, 4, 28, 1}) == 26);
  CHECK_FALSE(reducer.needs({0, 4, 2, 1}));
  const tome::PitomeReducer half({.ratio = {0.2}});
  CHECK(half.tokens_after({0, 4, 18, 1}) == 10);  // at most half of the patch tokens
}

TEST_CASE("reducers that cannot be read are explained") {
  for (const char* text : {"", "tofu", "tome:r=3", "pitome:ratio", "pitome:ratio=x", "pitome:r=3",
                           "pitome:variant=both", "threshold:tau=0.8/", "threshold:shared=yes"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(tome::parse_reducer(text), Catch::ContainsSubstring("the forms are"));
  }
  CHECK_THROWS_WITH(tome::parse_reducer("pitome:ratio=0"),
                    Catch::ContainsSubstring("ratio is 0, expected above 0"));
  CHECK_THROWS_WITH(tome::parse_reducer("threshold:tau=2"),
                    Catch::ContainsSubstring("tau is 2, expected -1 to 1"));
}
