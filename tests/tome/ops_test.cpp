#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <tome/matching.h>
#include <tome/merge.h>

namespace {

torch::jit::Stack call(const std::string& name, torch::jit::Stack stack) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(("tome::" + name).c_str(), "");
  op.callBoxed(&stack);
  return stack;
}

}  // namespace

TEST_CASE("every operator is registered and gives what the library gives") {
  const auto x = at::randn({2, 21, 8});
  const auto matching = tome::bipartite_soft_matching(x, 6, 1);

  const auto indices = call("bipartite_soft_matching", {x, 6, 1});
  REQUIRE(indices.size() == 3);
  const auto keep = indices[0].toTensor(), removed = indices[1].toTensor(),
             into = indices[2].toTensor();
  CHECK(test::same(keep, matching.keep));
  CHECK(test::same(removed, matching.removed));
  CHECK(test::same(into, matching.into));

  CHECK(test::same(call("merge", {x, keep, removed, into, "mean"})[0].toTensor(),
                   tome::merge(x, matching)));
  CHECK(test::same(call("merge", {x, keep, removed, into, "amax"})[0].toTensor(),
                   tome::merge(x, matching, tome::Reduction::max)));
  CHECK_THROWS(call("merge", {x, keep, removed, into, "median"}));

  const auto weighted = call("merge_weighted", {x, keep, removed, into, c10::IValue()});
  const auto [values, size] = tome::merge_weighted(x, matching, {});
  CHECK(test::same(weighted[0].toTensor(), values));
  CHECK(test::same(weighted[1].toTensor(), size));

  CHECK(test::same(call("merge_source", {x, keep, removed, into})[0].toTensor(),
                   tome::merge_source(x, matching)));
  CHECK(test::same(call("unmerge", {values, keep, removed, into})[0].toTensor(),
                   tome::unmerge(values, matching)));

  const auto kth = tome::kth_bipartite_matching(x, 3);
  CHECK(test::same(call("kth_bipartite_matching", {x, 3})[2].toTensor(), kth.into));
  CHECK(call("random_bipartite_matching", {x, 5, 1, c10::IValue()})[1].toTensor().size(1) == 5);
}
