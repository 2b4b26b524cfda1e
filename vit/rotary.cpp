#include <array>
#include <vector>

#include <ATen/ATen.h>

#include <vit/rotary.h>

namespace vit {
namespace {

constexpr double kTwoPi = 6.283185307179586;

/// Positions [B, N] on an axis of `size` patches -> coordinates.
at::Tensor coordinate(const RotaryConfig& config, const at::Tensor& position, int64_t size,
                      int64_t reference) {
  const auto extent = static_cast<double>(size);
  switch (config.coordinates) {
    case RotaryCoordinates::index: {
      const auto shifted = position + config.offset;
      return reference ? shifted / extent * static_cast<double>(reference) : shifted;
    }
    case RotaryCoordinates::centered:
      return (position + 0.5) / extent * 2 - 1;
  }
  TORCH_CHECK(false, "rotary_angles: unknown coordinates ", static_cast<int>(config.coordinates));
}

/// Coordinates [B, N, axes] -> angles [B, 1, N, angles], an axis after the other.
at::Tensor axial_angles(const RotaryConfig& config, int64_t head_dim,
                        const at::Tensor& coordinates) {
  const int64_t count = config.angles(head_dim) / config.axes;
  const auto exponents = at::arange(count, at::kDouble) * (-1.0 / static_cast<double>(count));
  const double unit = config.coordinates == RotaryCoordinates::centered ? kTwoPi : 1;
  const auto bands = at::pow(config.base, exponents).mul(unit).to(coordinates.options());
  auto axes = coordinates.unbind(2);
  if (config.columns_first) std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  std::vector<at::Tensor> angles;
  for (const auto& axis : axes) angles.push_back(axis.unsqueeze(2) * bands);
  return at::cat(angles, 2).unsqueeze(1);
}

/// Coordinates [B, N, 2] -> angles [B, heads, N, angles].
at::Tensor learned_angles(const at::Tensor& freqs, const at::Tensor& coordinates) {
  const auto by_head = freqs.to(coordinates.scalar_type()).unsqueeze(2);  // [2, heads, 1, angles]
  const auto at = [&](int64_t axis) {
    return coordinates.select(2, axis).unsqueeze(1).unsqueeze(3);
  };
  return at(1) * by_head[0] + at(0) * by_head[1];
}

/// Pairs next to each other, the first `angles` of them.
at::Tensor rotate_neighbours(const at::Tensor& x, const at::Tensor& sin, const at::Tensor& cos) {
  const auto pairs = x.unflatten(-1, {x.size(-1) / 2, 2});
  const auto a = pairs.select(-1, 0), b = pairs.select(-1, 1);
  return at::stack({a * cos.select(-1, 0) - b * sin.select(-1, 0),
                    b * cos.select(-1, 1) + a * sin.select(-1, 1)},
                   -1)
      .flatten(-2);
}

at::Tensor rotate_halves(const at::Tensor& x, const at::Tensor& sin, const at::Tensor& cos) {
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
}

/// Both elements of a pair turn by the same angle: [.., n] -> [.., n, 2].
at::Tensor for_pairs(const at::Tensor& table) {
  return table.unsqueeze(-1).expand({-1, -1, -1, -1, 2});
}

/// Those of the two channels of a pair: [.., 2 n] -> [.., n, 2].
at::Tensor by_pairs(const at::Tensor& table) {
  return table.unflatten(-1, {table.size(-1) / 2, 2});
}

at::Tensor rotate_channels(const at::Tensor& x, const RotaryAngles& angles) {
  switch (angles.layout) {
    case RotaryLayout::interleaved:
      return rotate_neighbours(x, for_pairs(angles.sin), for_pairs(angles.cos));
    case RotaryLayout::half:
      return rotate_halves(x, angles.sin, angles.cos);
    case RotaryLayout::interleaved_tiled:
      return rotate_neighbours(x, by_pairs(tiled_angles(angles.sin)),
                               by_pairs(tiled_angles(angles.cos)));
  }
  TORCH_CHECK(false, "rotate: unknown layout ", static_cast<int>(angles.layout));
}

}  // namespace

at::Tensor patch_positions(Extent grid, int64_t prefix_tokens, int64_t axes) {
  const auto along = [](int64_t size) { return at::arange(size, at::kFloat); };
  const auto places = at::meshgrid({along(grid.frames), along(grid.rows), along(grid.cols)}, "ij");
  const auto patches =
      at::stack({places[0].flatten(), places[1].flatten(), places[2].flatten()}, -1)
          .slice(1, 3 - axes)
          .unsqueeze(0);
  return at::cat({at::zeros({1, prefix_tokens, axes}), patches}, 1);
}

at::Tensor rotary_coordinates(const RotaryConfig& config, Extent grid,
                              const at::Tensor& positions) {
  TORCH_CHECK(positions.dim() == 3 && positions.size(2) == config.axes,
              "rotary_coordinates: expected positions [B, N, ", config.axes, "], got ",
              positions.sizes());
  const std::array<int64_t, 3> sizes{grid.frames, grid.rows, grid.cols};
  const std::array<int64_t, 3> references{0, config.reference_rows, config.reference_cols};
  std::vector<at::Tensor> axes;
  for (int64_t axis = 0; axis < config.axes; ++axis) {
    const auto of = static_cast<std::size_t>(3 - config.axes + axis);
    axes.push_back(coordinate(config, positions.select(2, axis), sizes[of], references[of]));
  }
  return at::stack(axes, 2);
}

RotaryAngles rotary_angles(const RotaryConfig& config, int64_t head_dim, Extent grid,
                           const at::Tensor& positions, int64_t prefix_tokens,
                           const RotaryWeights& weights) {
  TORCH_CHECK(head_dim > 0 && (config.axes == 3 ? head_dim >= 6 : head_dim % 4 == 0),
              "rotary_angles: expected heads of a multiple of 4 channels, got ", head_dim);
  const auto coordinates = rotary_coordinates(config, grid, positions);
  auto angles = config.frequencies == RotaryFrequencies::learned
                    ? learned_angles(weights.freqs, coordinates)
                    : axial_angles(config, head_dim, coordinates);
  if (prefix_tokens) {
    auto prefix = at::zeros_like(angles.slice(2, 0, prefix_tokens));
    if (config.class_angles) prefix.select(2, 0).copy_(weights.class_angles);
    angles = at::cat({prefix, angles.slice(2, prefix_tokens)}, 2);
  }
  return {angles.sin(), angles.cos(), config.layout};
}

at::Tensor tiled_angles(const at::Tensor& table) {
  const auto axes = table.unflatten(-1, {3, table.size(-1) / 3});
  return at::cat({axes, axes}, -1).flatten(-2);
}

at::Tensor rotate(const at::Tensor& x, const RotaryAngles& angles) {
  const auto exact = x.to(at::kFloat);
  const int64_t channels = 2 * angles.sin.size(-1);
  const auto rotated = rotate_channels(exact.slice(-1, 0, channels), angles);
  const auto whole =
      channels == x.size(-1) ? rotated : at::cat({rotated, exact.slice(-1, channels)}, -1);
  return whole.to(x.scalar_type());
}

}  // namespace vit
