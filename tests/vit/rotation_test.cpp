#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/vit/simd_target.h"

#include <string>
#include <tuple>

#include <ATen/ATen.h>

#include <vit/kernels/simd.h>
#include <vit/rotary.h>
#include <vit/training/rotation_tables.h>

// Tables of rotations and their backward passes against separate operators.

using vit::RotaryLayout;

TEST_CASE("rows are rotated, and back, as separate operators do it in every layout") {
  RotaryLayout layout;
  int64_t head_dim, angles;
  std::tie(layout, head_dim, angles) =
      GENERATE(table<RotaryLayout, int64_t, int64_t>({{RotaryLayout::interleaved, 32, 16},
                                                      {RotaryLayout::interleaved, 48, 20},
                                                      {RotaryLayout::half, 16, 8},
                                                      {RotaryLayout::half, 48, 24},
                                                      {RotaryLayout::half, 256, 128},
                                                      {RotaryLayout::interleaved_tiled, 32, 15},
                                                      {RotaryLayout::interleaved_tiled, 48, 24}}));
  const int64_t samples = GENERATE(1, 2), heads = GENERATE(1, 3);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(static_cast<int>(layout), head_dim, angles, samples, heads, target);
  constexpr int64_t kBatch = 2, kHeads = 3, kTokens = 5;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  // Averaged sines and cosines are no rotation any more.
  const auto table = [&] { return at::randn({samples, heads, kTokens, angles}, generator); };
  const vit::RotaryAngles by{table(), table(), layout};
  auto x = at::randn({kBatch, kHeads, kTokens, head_dim}, generator).requires_grad_(true);
  const auto expected = vit::rotate(x, by);
  const auto gradient = at::randn(x.sizes(), generator);
  expected.backward(gradient);

  const auto tables = vit::training::rotation_tables(by, head_dim);
  const auto of_rows = [&](const at::Tensor& from, const at::Tensor& table) {
    const auto x = from.detach().contiguous();
    auto out = at::empty_like(x);
    const auto each = table.expand({kBatch, kHeads, -1, -1, -1}).contiguous();
    for (int64_t row = 0; row < kBatch * kHeads; row += 1) {
      const int64_t at = row * kTokens * head_dim;
      const vit::simd::Tile tile{x.const_data_ptr<float>() + at, head_dim, kTokens, head_dim};
      vit::simd::rotate(tile,
                        {each.const_data_ptr<float>() + row * each.stride(1), each.stride(2),
                         each.size(-1), tables.angles, tables.pairs},
                        out.mutable_data_ptr<float>() + at, head_dim);
    }
    return out;
  };
  const auto rotated = of_rows(x, tables.table);
  const auto back = of_rows(gradient, vit::training::backward_table(tables.table));
  // Two products of numbers of about 1, summed once.
  CHECK(test::max_difference(rotated, expected) < 1e-5);
  CHECK(test::max_difference(back, x.grad()) < 1e-5);
}
