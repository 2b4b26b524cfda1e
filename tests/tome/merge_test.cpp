#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <tome/matching.h>
#include <tome/merge.h>

namespace {

at::Tensor random(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

/// keep and removed are a permutation of the positions, and rows are in range.
void check_complete(const tome::Matching& matching) {
  const auto all = std::get<0>(at::cat({matching.keep, matching.removed}, 1).sort(1));
  const auto expected = at::arange(matching.tokens()).expand_as(all);
  CHECK(test::same(all, expected));
  if (matching.into.numel()) {
    CHECK(matching.into.min().item<int64_t>() >= 0);
    CHECK(matching.into.max().item<int64_t>() < matching.rows());
  }
}

}  // namespace

TEST_CASE("matchings name every token once") {
  const auto metric = random({3, 41, 16}, 5);
  check_complete(tome::bipartite_soft_matching(metric, 12, 1));
  check_complete(tome::bipartite_soft_matching(metric, 1000, 0));
  check_complete(tome::bipartite_soft_matching(metric, 0, 3));
  check_complete(tome::random_bipartite_matching(metric, 17, 2));
  check_complete(tome::kth_bipartite_matching(metric.slice(1, 0, 40), 4));
  check_complete(tome::kth_bipartite_matching(metric, 1));
}

TEST_CASE("random matching is what its generator says, and never touches the prefix") {
  const auto metric = random({2, 30, 8}, 5);
  const auto draw = [&](uint64_t seed) {
    return tome::random_bipartite_matching(metric, 10, 3,
                                           at::make_generator<at::CPUGeneratorImpl>(seed));
  };
  CHECK(test::same(draw(1).removed, draw(1).removed));
  CHECK_FALSE(test::same(draw(1).removed, draw(2).removed));
  const auto matching = draw(3);
  CHECK(test::same(matching.keep.slice(1, 0, 3), at::arange(3).expand({2, 3})));
  CHECK(matching.removed.min().item<int64_t>() >= 3);
  CHECK(matching.into.min().item<int64_t>() >= 3);
  CHECK(tome::random_bipartite_matching(metric, 999, 3).rows() == 4);

  // Each removed token goes to the most similar of those that stay.
  const auto unit = metric / metric.norm(2, -1, true);
  const auto similarity = at::matmul(unit, unit.mT());
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t i = 0; i < matching.removed.size(1); ++i) {
      const auto row = similarity[b][matching.removed[b][i].item<int64_t>()];
      const auto stay = row.index_select(0, matching.keep[b].slice(0, 3));
      CHECK(stay.argmax().item<int64_t>() + 3 == matching.into[b][i].item<int64_t>());
    }
}

TEST_CASE("unmerge undoes the shape and copies merged rows back") {
  const auto x = random({2, 25, 6}, 9);
  const auto matching = tome::bipartite_soft_matching(x, 8, 1);
  const auto merged = tome::merge(x, matching);
  REQUIRE(merged.sizes() == at::IntArrayRef({2, 17, 6}));
  const auto back = tome::unmerge(merged, matching);
  REQUIRE(back.sizes() == x.sizes());
  CHECK(test::max_difference(tome::merge(back, matching), merged) < 1e-6);
}

TEST_CASE("merging keeps weighted sums") {
  const auto x = random({2, 25, 6}, 9);
  const auto size = random({2, 25}, 10).abs() + 0.5;
  const auto matching = tome::bipartite_soft_matching(x, 8, 1);
  const auto [merged, total] = tome::merge_weighted(x, matching, size);
  CHECK(test::max_difference((merged * total.unsqueeze(-1)).sum(1),
                             (x * size.unsqueeze(-1)).sum(1)) < 1e-4);
  CHECK(test::max_difference(total.sum(1), size.sum(1)) < 1e-4);
}

TEST_CASE("merging has the gradient of its formula") {
  const auto metric = random({1, 9, 4}, 2);
  const auto matching = tome::bipartite_soft_matching(metric, 3, 1);
  const auto size = random({1, 9}, 10).abs() + 0.5;
  const auto check = [&](auto function) {
    auto x = random({1, 9, 3}, 4).to(at::kDouble).requires_grad_(true);
    const auto weight = random({1, 6, 3}, 6).to(at::kDouble);
    (function(x) * weight).sum().backward();
    // Central differences in double precision.
    const auto base = x.detach().clone();
    auto numeric = at::zeros_like(base);
    constexpr double kStep = 1e-6;
    for (int64_t i = 0; i < base.numel(); ++i) {
      const auto shifted = [&](double step) {
        auto y = base.clone();
        y.view(-1)[i] += step;
        return (function(y) * weight).sum().template item<double>();
      };
      numeric.view(-1)[i] = (shifted(kStep) - shifted(-kStep)) / (2 * kStep);
    }
    CHECK(test::max_difference(x.grad(), numeric) < 1e-6);
  };
  for (const auto reduction : {tome::Reduction::mean, tome::Reduction::sum, tome::Reduction::max})
    check([&](const at::Tensor& x) { return tome::merge(x, matching, reduction); });
  check([&](const at::Tensor& x) { return tome::merge_weighted(x, matching, size).first; });
}

TEST_CASE("bad arguments are refused") {
  const auto metric = random({2, 10, 4}, 1);
  CHECK_THROWS_WITH(tome::bipartite_soft_matching(metric[0], 2),
                    Catch::ContainsSubstring("expected a floating point metric [B, N, d]"));
  CHECK_THROWS(tome::bipartite_soft_matching(metric.to(at::kLong), 2));
  CHECK_THROWS(tome::bipartite_soft_matching(metric, -1));
  CHECK_THROWS(tome::kth_bipartite_matching(metric, 0));
  auto matching = tome::bipartite_soft_matching(metric, 2);
  CHECK_THROWS_WITH(tome::merge(metric.slice(1, 0, 9), matching),
                    Catch::ContainsSubstring("merge: expected x of [2, 10, C]"));
  CHECK_THROWS(tome::merge_weighted(metric, matching, at::ones({2, 9})));
  CHECK_THROWS(tome::unmerge(metric.slice(1, 0, 7), matching));
  matching.into = matching.into + 100;
  CHECK_THROWS_WITH(tome::merge_weighted(metric, matching, {}),
                    Catch::ContainsSubstring("indices run from"));
}
