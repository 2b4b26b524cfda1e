#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <cstdio>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/relative_bias_resampling.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

TEST_CASE("tables of relative position biases are fitted to other grids as timm does it") {
  int cases = 0;
  const auto tables = vit::read_safetensors(test::data("vit/relative_bias/tables.safetensors"));
  for (const auto& [name, table] : tables) {
    CAPTURE(name);
    vit::Size2d from, to;
    int more = 0;
    if (std::sscanf(name.c_str(), "%ldx%ld_%ldx%ld_%d.from", &from.height, &from.width, &to.height,
                    &to.width, &more) != 5 ||
        !name.ends_with(".from"))
      continue;
    const auto expected = tables.at(name.substr(0, name.size() - 4) + "to");
    // Both interpolate in float32, in another order: 1e-5 of values up to 4.
    CHECK(test::max_difference(vit::resample_relative_bias(table, from, to), expected) < 1e-5);
    CHECK(vit::resample_relative_bias(table.to(at::kBFloat16), from, to).scalar_type() ==
          at::kBFloat16);
    CHECK(test::same(vit::resample_relative_bias(table, from, from), table));
    ++cases;
  }
  CHECK(cases == 6);
}

TEST_CASE("a table of another grid is not resampled") {
  CHECK_THROWS_WITH(
      vit::resample_relative_bias(at::zeros({8, 2}), {2, 2}, {3, 3}),
      ContainsSubstring("a table of shape [8, 2] cannot be taken from a grid of 2x2"));
  CHECK_THROWS_AS(vit::resample_relative_bias(at::zeros({9, 2}), {2, 2}, {0, 3}), vit::Error);
  CHECK_THROWS_AS(vit::resample_relative_bias(at::zeros({9}), {2, 2}, {3, 3}), vit::Error);
}
