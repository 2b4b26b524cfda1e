#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <vit/error.h>
#include <vit/training/rotation_tables.h>

namespace vit::training {
RotationTables rotation_tables(const RotaryAngles& angles, int64_t head_dim) {
  const at::NoGradGuard no_grad;
  const int64_t count = angles.sin.size(-1), padded = simd::round_up(head_dim / 2);
  TORCH_CHECK(2 * count <= head_dim, "rotation_tables: ", count, " angles for heads of ", head_dim);
  const auto sin = at::constant_pad_nd(angles.sin, {0, padded - count}, 0);
  const auto cos = at::constant_pad_nd(angles.cos, {0, padded - count}, 1);
  switch (angles.layout) {
    case RotaryLayout::half:
      return {at::stack({sin, cos}, -2), simd::RotatedPairs::halves, count};
    case RotaryLayout::interleaved:
      return {at::stack({sin, cos}, -2), simd::RotatedPairs::neighbours, count};
    case RotaryLayout::interleaved_tiled: {
      // Of the first (0) or second (1) channels of the pairs.
      const auto of = [&](int64_t element) {
        const auto every_other = [&](const at::Tensor& table) {
          return tiled_angles(table).slice(-1, element, std::nullopt, 2);
        };
        return at::stack({at::constant_pad_nd(every_other(angles.sin), {0, padded - count}, 0),
                          at::constant_pad_nd(every_other(angles.cos), {0, padded - count}, 1)},
                         -2);
      };
      return {at::cat({of(0), of(1)}, -2), simd::RotatedPairs::neighbours_apart, count};
    }
  }
  fail("rotation_tables: unknown layout ", static_cast<int>(angles.layout));
}

at::Tensor backward_table(const at::Tensor& table) {
  auto rows = table.unbind(-2);  // sine and cosine, perhaps once more for the others of the pairs
  if (rows.size() > 2) std::swap(rows[0], rows[2]);
  for (std::size_t i = 0; i < rows.size(); i += 2) rows[i] = -rows[i];
  return at::stack(rows, -2);
}

}  // namespace vit::training
