#include <ATen/ATen.h>

#include <vit/rotary.h>

namespace vit {
namespace {

constexpr double kTwoPi = 6.283185307179586;

/// Rows or columns [B, N] of a grid of `size` -> the coordinates that angles are proportional to.
at::Tensor coordinates(const RotaryConfig& config, const at::Tensor& indices, int64_t size,
                       int64_t reference) {
  const auto extent = static_cast<double>(size);
  switch (config.coordinates) {
    case RotaryCoordinates::index: {
      const auto shifted = indices + config.offset;
      return reference ? shifted / extent * static_cast<double>(reference) : shifted;
    }
    case RotaryCoordinates::centered:
      return ((indices + 0.5) / extent * 2 - 1) * kTwoPi;
  }
  TORCH_CHECK(false, "rotary_angles: unknown coordinates ", static_cast<int>(config.coordinates));
}

}  // namespace

RotaryAngles rotary_angles(const RotaryConfig& config, int64_t head_dim, Extent grid,
                           const at::Tensor& positions, int64_t prefix_tokens) {
  TORCH_CHECK(positions.dim() == 3 && positions.size(2) == 2,
              "rotary_angles: expected positions [B, N, 2], got ", positions.sizes());
  TORCH_CHECK(head_dim > 0 && head_dim % 4 == 0,
              "rotary_angles: expected heads of a multiple of 4 channels, got ", head_dim);
  const int64_t count = head_dim / 4;
  const auto options = positions.options();
  const auto bands =
      at::pow(config.base, at::arange(count, options) * (-1.0 / static_cast<double>(count)));
  const auto of = [&](int64_t axis, int64_t size, int64_t reference) {
    return coordinates(config, positions.select(2, axis), size, reference).unsqueeze(2) * bands;
  };
  const auto row = of(0, grid.rows, config.reference_rows);
  const auto col = of(1, grid.cols, config.reference_cols);
  auto angles = config.columns_first ? at::cat({col, row}, 2) : at::cat({row, col}, 2);
  if (prefix_tokens) angles.slice(1, 0, prefix_tokens).zero_();
  return {angles.sin().unsqueeze(1), angles.cos().unsqueeze(1), config.layout};
}

at::Tensor rotate(const at::Tensor& x, const RotaryAngles& angles) {
  const auto exact = x.to(at::kFloat);
  const auto turned = [&](const at::Tensor& a, const at::Tensor& b) {
    return std::pair{a * angles.cos - b * angles.sin, b * angles.cos + a * angles.sin};
  };
  switch (angles.layout) {
    case RotaryLayout::interleaved: {
      const auto pairs = exact.unflatten(-1, {x.size(-1) / 2, 2});
      const auto [a, b] = turned(pairs.select(-1, 0), pairs.select(-1, 1));
      return at::stack({a, b}, -1).flatten(-2).to(x.scalar_type());
    }
    case RotaryLayout::half: {
      const auto halves = exact.chunk(2, -1);
      const auto [a, b] = turned(halves[0], halves[1]);
      return at::cat({a, b}, -1).to(x.scalar_type());
    }
  }
  TORCH_CHECK(false, "rotate: unknown layout ", static_cast<int>(angles.layout));
}

}  // namespace vit
