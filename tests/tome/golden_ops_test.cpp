#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <ATen/ATen.h>

#include <tome/matching.h>
#include <tome/merge.h>
#include <vit/weights/files/safetensors.h>

namespace {

constexpr double kTolerance = 1e-5;

struct Case {
  nlohmann::json json;
  const vit::StateDict& io;

  bool has(const std::string& tensor) const {
    return io.count(json.at("name").get<std::string>() + "/" + tensor) > 0;
  }
  at::Tensor at(const std::string& tensor) const {
    return io.at(json.at("name").get<std::string>() + "/" + tensor);
  }
  int64_t prefix() const {
    if (json.contains("prefix")) return json.at("prefix");
    return json.value("class_token", false) + json.value("distill_token", false);
  }
};

void check_merges(const Case& c, const tome::Matching& matching) {
  const auto x = c.at("x");
  CHECK(test::max_difference(tome::merge(x, matching), c.at("merge_mean")) < kTolerance);
  if (c.has("merge_sum"))
    CHECK(test::max_difference(tome::merge(x, matching, tome::Reduction::sum), c.at("merge_sum")) <
          kTolerance);
  if (c.has("merge_amax"))
    CHECK(test::same(tome::merge(x, matching, tome::Reduction::max), c.at("merge_amax")));
  CHECK(test::same(tome::unmerge(c.at("merge_mean"), matching), c.at("unmerge")));
}

void check_bipartite(const Case& c) {
  const auto matching = tome::bipartite_soft_matching(c.at("metric"), c.json.at("r"), c.prefix());
  REQUIRE(matching.rows() == c.json.at("tokens_out").get<int64_t>());
  REQUIRE(matching.removed.size(1) == c.json.at("removed").get<int64_t>());
  if (c.has("src_idx")) {
    // The reference counts within A (even positions) and within B (odd ones).
    const auto partner = matching.keep.gather(1, matching.into);
    CHECK(test::same(matching.removed.div(2, "floor"), c.at("src_idx")));
    CHECK(test::same(partner.div(2, "floor"), c.at("dst_idx")));
    for (int64_t i = 0; i < matching.keep.size(0); ++i) {
      const auto keep = matching.keep[i];
      const auto a_rows = keep.masked_select(keep.remainder(2) == 0);
      CHECK(test::same(a_rows.div(2, "floor"), c.at("unm_idx")[i]));
    }
  }
  check_merges(c, matching);

  const auto size_in = c.has("size_in") ? c.at("size_in").squeeze(-1) : at::Tensor();
  const auto [x, size] = tome::merge_weighted(c.at("x"), matching, size_in);
  CHECK(test::max_difference(x, c.at("wavg_x")) < kTolerance);
  CHECK(test::max_difference(size, c.at("wavg_size").squeeze(-1)) < kTolerance);

  const int64_t tokens = c.at("x").size(1);
  const auto source_in = c.has("source_in")
                             ? c.at("source_in")
                             : at::eye(tokens).expand({c.at("x").size(0), tokens, tokens});
  CHECK(test::same(tome::merge_source(source_in, matching), c.at("source")));
}

}  // namespace

TEST_CASE("operators reproduce the reference implementation") {
  const auto folder = test::data("vit/merge_ops");
  const auto cases = test::read_json(folder / "cases.json");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  for (const auto& json : cases.at("ops")) {
    const Case c{json, io};
    const std::string name = json.at("name");
    CAPTURE(name);
    if (json.at("kind") == "kth")
      check_merges(c, tome::kth_bipartite_matching(c.at("metric"), json.at("k")));
    else
      check_bipartite(c);
  }
}
