#include "tests/support/catch.h"

#include <vit/weights/json.h>

using Catch::ContainsSubstring;
using vit::JsonNode;
using vit::parse_json;

TEST_CASE("strict JSON parsing names the place and the fault") {
  CHECK(parse_json(R"({"a": [1, 2.5, "x"], "b": {"a": null}})", "f").size() == 2);
  CHECK_THROWS_WITH(parse_json("", "f.json"), ContainsSubstring("f.json: empty"));
  CHECK_THROWS_WITH(parse_json("{\"a\": 1", "f.json"), ContainsSubstring("f.json: not valid JSON"));
  CHECK_THROWS_WITH(parse_json("{} {}", "f"), ContainsSubstring("not valid JSON"));
  CHECK_THROWS_WITH(parse_json("[NaN]", "f"), ContainsSubstring("not valid JSON"));
  CHECK_THROWS_WITH(parse_json("[1e999]", "f"), ContainsSubstring("not valid JSON"));
  CHECK_THROWS_WITH(parse_json("[\"\xFF\"]", "f"), ContainsSubstring("not valid JSON"));
  CHECK_THROWS_WITH(parse_json("\xEF\xBB\xBF{}", "f"), ContainsSubstring("byte order mark"));
  CHECK_THROWS_WITH(parse_json(std::string_view("{}\0{}", 5), "f"), ContainsSubstring("NUL"));
  CHECK_THROWS_WITH(parse_json(R"({"a": {"x": 1, "x": 2}})", "f"),
                    ContainsSubstring("\"x\" occurs"));
  CHECK(parse_json(R"([{"x": 1}, {"x": 2}])", "f").size() == 2);
  CHECK_THROWS_WITH(parse_json(std::string(100000, '['), "f"), ContainsSubstring("deeper"));
}

TEST_CASE("JSON getters accept exactly their type and range") {
  const auto document = parse_json(
      R"({"i": 7, "f": 4.0, "s": "x", "b": true, "n": null, "l": [1, "a"],
          "huge": 18446744073709551615, "o": {"deep": "y"}})",
      "f");
  const JsonNode node(document, "c.json");
  CHECK(node.at("i").integer(0, 7) == 7);
  CHECK(node.at("i").number() == 7.0);
  CHECK(node.at("s").string() == "x");
  CHECK(node.at("b").boolean());
  CHECK(!node.find("n"));
  CHECK(!node.find("absent"));
  CHECK_THROWS_WITH(node.at("absent"), ContainsSubstring("c.json: \"absent\" is missing"));
  CHECK_THROWS_WITH(node.at("i").integer(0, 6), ContainsSubstring("c.json: i: 7 is out of range"));
  CHECK_THROWS_WITH(node.at("huge").integer(0, INT64_MAX), ContainsSubstring("out of range"));
  CHECK_THROWS_WITH(node.at("f").integer(0, 9), ContainsSubstring("expected an integer, got 4.0"));
  CHECK_THROWS_WITH(node.at("s").number(), ContainsSubstring("expected a number, got \"x\""));
  CHECK_THROWS_WITH(node.at("b").integer(0, 9), ContainsSubstring("expected an integer, got true"));
  CHECK_THROWS_WITH(node.at("l").string(), ContainsSubstring("expected a string, got an array"));
  CHECK_THROWS_WITH(node.at("l").elements()[1].integer(0, 9), ContainsSubstring("c.json: l[1]: "));
  CHECK_THROWS_WITH(node.at("o").at("deep").boolean(), ContainsSubstring("c.json: o: deep: "));
}
