#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"

#include <limits>

#include <ATen/ATen.h>

#include <tome/kernels.h>
#include <tome/matching.h>
#include <tome/merge.h>
#include <tome/reference.h>
#include <vit/error.h>
#include <vit/merging/cpu_kernels.h>

namespace {

at::Tensor random(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

}  // namespace

TEST_CASE("the fused matching decides as the reference does") {
  const int64_t tokens = GENERATE(2, 3, 4, 5, 7, 16, 37, 64, 197);
  const int64_t prefix = GENERATE(0, 1, 2, 5);
  const int64_t batch = GENERATE(1, 3);
  if (tokens - prefix < 2) return;
  const auto metric = random({batch, tokens, 24}, tokens * 31 + prefix);
  REQUIRE(vit::merging::cpu_kernel_fits(metric));
  for (const int64_t ask : {int64_t{1}, tokens / 4, tokens}) {
    const int64_t r = tome::merged_count(ask, tokens, prefix);
    CAPTURE(tokens, prefix, batch, r);
    if (r == 0) continue;
    const auto fused = tome::bipartite_soft_matching(metric, r, prefix);
    const auto expected = tome::reference::bipartite_soft_matching(metric, r, prefix);
    CHECK(test::same(fused.keep, expected.keep));
    CHECK(test::same(fused.removed, expected.removed));
    CHECK(test::same(fused.into, expected.into));
  }
}

TEST_CASE("the fused weighted merge computes what the reference does") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const int64_t tokens = GENERATE(5, 36, 197);
  const int64_t channels = GENERATE(1, 7, 64, 100);
  const auto x = random({2, tokens, channels}, tokens + channels).to(dtype);
  const auto matching = tome::bipartite_soft_matching(x, tokens / 3, 1);
  const auto size = GENERATE(true, false) ? random({2, tokens}, 3).abs() + 1 : at::Tensor();
  REQUIRE(vit::merging::cpu_kernel_fits(x));
  const auto [fused, fused_size] = tome::merge_weighted(x, matching, size);
  const auto [expected, expected_size] = tome::reference::merge_weighted(x, matching, size);
  CHECK(fused.scalar_type() == dtype);
  // One rounding to the dtype may fall to either side.
  CHECK(test::max_difference(fused, expected) < (dtype == at::kFloat ? 1e-5 : 0.02));
  CHECK(test::max_difference(fused_size, expected_size) < 1e-5);
}

TEST_CASE("the fused weighted merge has the gradients of the reference") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const int64_t tokens = GENERATE(5, 36, 197);
  const int64_t channels = GENERATE(1, 7, 64);
  const auto x = random({2, tokens, channels}, tokens + channels).to(dtype);
  const auto matching = tome::bipartite_soft_matching(x, tokens / 3, 1);
  const auto size = GENERATE(true, false) ? random({2, tokens}, 3).abs() + 1 : at::Tensor();
  const auto weights = random({2, matching.rows(), channels}, 5);
  const auto gradient = [&](const auto& merge_weighted) {
    const auto leaf = x.detach().clone().requires_grad_(true);
    const auto merged = merge_weighted(leaf, matching, size);
    CHECK_FALSE(merged.second.requires_grad());
    (merged.first.to(at::kFloat) * weights).sum().backward();
    return leaf.grad();
  };
  const auto expected = gradient(tome::reference::merge_weighted);
  const auto got = gradient(tome::merge_weighted);
  CHECK(got.scalar_type() == dtype);
  // One rounding to the dtype may fall to either side.
  CHECK(test::max_difference(got, expected) < (dtype == at::kFloat ? 1e-6 : 0.02));
}

TEST_CASE("gradients of the weighted merge have gradients") {
  const auto x = random({2, 9, 3}, 1).requires_grad_(true);
  const auto matching = tome::bipartite_soft_matching(x, 3, 1);
  const auto second = [&](const auto& merge_weighted) {
    x.mutable_grad().reset();
    const auto merged = merge_weighted(x, matching, at::Tensor()).first;
    merged.pow(3).sum().backward({}, /*retain_graph=*/true, /*create_graph=*/true);
    const auto first = x.grad();
    x.mutable_grad().reset();
    first.square().sum().backward();
    return x.grad().detach();
  };
  const auto expected = second(tome::reference::merge_weighted);
  CHECK(test::max_difference(second(tome::merge_weighted), expected) < 1e-4);
}

TEST_CASE("sizes with gradients and a sequence with a rest keep the reference's gradients") {
  auto x = random({2, 10, 3}, 1).requires_grad_(true);
  auto size = (random({2, 10}, 3).abs() + 1).requires_grad_(true);
  const auto matching = tome::kth_bipartite_matching(x, 3);  // leaves out the last token
  const auto gradients = [&](const auto& merge_weighted) {
    x.mutable_grad().reset();
    size.mutable_grad().reset();
    merge_weighted(x, matching, size).first.pow(3).sum().backward();
    return at::cat({x.grad(), size.grad().unsqueeze(-1)}, 2);
  };
  const auto expected = gradients(tome::reference::merge_weighted);
  CHECK(expected.abs().sum().item<double>() > 0);
  CHECK(test::same(gradients(tome::merge_weighted), expected));
}

TEST_CASE("kernels stay out of the way of other dtypes") {
  const auto x = random({1, 9, 4}, 1);
  CHECK(vit::merging::cpu_kernel_fits(x));
  CHECK_FALSE(vit::merging::cpu_kernel_fits(x.to(at::kDouble)));
}

TEST_CASE("VITOME_KERNELS picks the reference and nothing unknown") {
  const auto x = random({1, 9, 4}, 1);
  {
    const test::KernelChoice reference("reference");
    CHECK_FALSE(vit::merging::cpu_kernel_fits(x));
  }
  {
    const test::KernelChoice unknown("fastest");
    CHECK_THROWS_AS(vit::merging::cpu_kernel_fits(x), vit::Error);
  }
  CHECK(vit::merging::cpu_kernel_fits(x));
}

TEST_CASE("autocast does not change what merges") {
  const auto metric = random({3, 37, 24}, 4);
  const bool reference = GENERATE(true, false);
  const test::KernelChoice choice(reference ? "reference" : "auto");
  const auto match = [&] {
    auto all = tome::bipartite_soft_matching(metric, 9, 1);
    const auto every_third = tome::kth_bipartite_matching(metric, 3);
    return at::cat({all.keep, all.removed, all.into, every_third.into}, 1);
  };
  const auto expected = match();
  const test::Autocast autocast(at::kBFloat16);
  CHECK(test::same(match(), expected));
}

TEST_CASE("matching treats zero rows and equal rows as finite numbers") {
  const auto zeros = at::zeros({1, 11, 8});
  const auto fused = tome::bipartite_soft_matching(zeros, 3, 1);
  const auto expected = tome::reference::bipartite_soft_matching(zeros, 3, 1);
  CHECK(test::same(fused.keep, expected.keep));
  CHECK(
      test::same(fused.removed, at::tensor({2, 4, 6}).unsqueeze(0)));  // ties: the lower positions
}

TEST_CASE("matching survives numbers that are none") {
  auto metric = random({1, 65, 8}, 3);
  metric[0].slice(0, 3, 60, 4).fill_(std::numeric_limits<float>::quiet_NaN());
  metric[0].slice(0, 4, 60, 6).fill_(std::numeric_limits<float>::infinity());
  const auto matching = tome::bipartite_soft_matching(metric, 20, 1);
  const auto all = std::get<0>(at::cat({matching.keep, matching.removed}, 1).sort(1));
  CHECK(test::same(all, at::arange(65).unsqueeze(0)));
  CHECK(matching.into.min().item<int64_t>() >= 0);
  CHECK(matching.into.max().item<int64_t>() < matching.rows());
}
