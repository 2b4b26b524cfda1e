#include "tests/support/catch.h"

#include <distributed/buckets.h>

using distributed::Bucket;
using distributed::flatten;
using distributed::make_buckets;
using distributed::unflatten;

TEST_CASE("tensors are packed by dtype into buckets of a limited size") {
  const at::Tensor f1 = torch::ones({10}), f2 = torch::ones({20}), f3 = torch::ones({11});
  const at::Tensor d1 = torch::ones({1}, at::kDouble), large = torch::ones({100});
  const auto buckets = make_buckets({f1, d1, torch::empty({0}), f2, f3, large},
                                    30 * static_cast<int64_t>(sizeof(float)));
  REQUIRE(buckets.size() == 4);
  REQUIRE(buckets[0].size() == 2);
  REQUIRE(buckets[0][1].is_same(f2));
  REQUIRE(buckets[1][0].is_same(d1));
  REQUIRE(buckets[2][0].is_same(f3));
  REQUIRE(buckets[3].size() == 1);
  REQUIRE(buckets[3][0].is_same(large));
  REQUIRE(make_buckets({}, 1).empty());
}

TEST_CASE("a bucket is flattened and written back, whatever its strides") {
  const at::Tensor base = torch::arange(24, at::kFloat).reshape({4, 6});
  const Bucket bucket = {base.t().narrow(0, 1, 2), torch::full({}, 7.0F),
                         torch::arange(3, at::kFloat)};
  const at::Tensor flat = flatten(bucket);
  REQUIRE(torch::equal(
      flat, torch::tensor({1.F, 7.F, 13.F, 19.F, 2.F, 8.F, 14.F, 20.F, 7.F, 0.F, 1.F, 2.F})));
  unflatten(flat * 2, bucket);
  REQUIRE(base[1][2].item<float>() == 16.0F);
  REQUIRE(base[1][3].item<float>() == 9.0F);  // not of the view
  REQUIRE(bucket[1].item<float>() == 14.0F);
  REQUIRE(bucket[2][2].item<float>() == 4.0F);
}

TEST_CASE("a large contiguous tensor is not copied") {
  const at::Tensor tensor = torch::ones({4, 5});
  REQUIRE(flatten({tensor}).data_ptr() == tensor.data_ptr());
}
