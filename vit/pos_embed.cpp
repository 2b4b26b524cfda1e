#include <algorithm>
#include <array>

#include <ATen/ATen.h>

#include <vit/pos_embed.h>

namespace vit {
namespace {

/// pos [n] and `count` frequencies 10000^(-i / count) -> angles [n, count] in double precision.
at::Tensor angles(const at::Tensor& pos, int64_t count) {
  const auto exponents = at::arange(count, at::kDouble) / static_cast<double>(count);
  return pos.unsqueeze(1) * at::pow(10000.0, -exponents).unsqueeze(0);
}

at::Tensor resample(const at::Tensor& grid, std::array<int64_t, 2> size, Resampling resampling) {
  const int64_t side = std::max(size[0], size[1]);
  const std::array<int64_t, 2> square{side, side};
  const auto window = [&](const at::Tensor& whole) {
    return whole.slice(2, 0, size[0]).slice(3, 0, size[1]);
  };
  switch (resampling) {
    case Resampling::bicubic_antialias:
      return at::_upsample_bicubic2d_aa(grid, size, /*align_corners=*/false);
    case Resampling::bicubic:
      return at::upsample_bicubic2d(grid, size, /*align_corners=*/false);
    case Resampling::bilinear_antialias:
      return at::_upsample_bilinear2d_aa(grid, size, /*align_corners=*/false);
    case Resampling::bilinear_window:
      return window(at::upsample_bilinear2d(grid, square, /*align_corners=*/false));
    case Resampling::bilinear_corners_window:
      return window(at::upsample_bilinear2d(grid, square, /*align_corners=*/true));
    case Resampling::bicubic_antialias_window:
      return window(at::_upsample_bicubic2d_aa(grid, square, /*align_corners=*/false));
  }
  TORCH_CHECK(false, "resample_positions: unknown resampling ", static_cast<int>(resampling));
}

}  // namespace

at::Tensor sincos_positions_1d(int64_t length, int64_t dim) {
  TORCH_CHECK(length >= 1 && dim >= 2 && dim % 2 == 0,
              "sincos_positions_1d: expected a positive length and an even dim, got ", length,
              " and ", dim);
  const auto angle = angles(at::arange(length, at::kDouble), dim / 2);
  return at::stack({angle.sin(), angle.cos()}, -1).flatten(1).unsqueeze(0).to(at::kFloat);
}

at::Tensor sincos_positions_2d(Size2d grid, int64_t dim) {
  TORCH_CHECK(grid.height >= 1 && grid.width >= 1 && dim >= 4 && dim % 4 == 0,
              "sincos_positions_2d: expected a positive grid and a dim divisible by 4, got ",
              grid.height, "x", grid.width, " and ", dim);
  const auto column = at::arange(grid.width, at::kDouble).repeat({grid.height});
  const auto row = at::arange(grid.height, at::kDouble).repeat_interleave(grid.width);
  const auto x = angles(column, dim / 4), y = angles(row, dim / 4);
  return at::cat({x.sin(), x.cos(), y.sin(), y.cos()}, 1).unsqueeze(0).to(at::kFloat);
}

at::Tensor sincos_positions_3d(Extent grid, int64_t dim) {
  TORCH_CHECK(grid.count() >= 1 && dim >= 8 && dim % 8 == 0,
              "sincos_positions_3d: expected a positive grid and a dim divisible by 8, got ",
              grid.frames, "x", grid.rows, "x", grid.cols, " and ", dim);
  const auto along = [&](int64_t axis, int64_t size, int64_t channels) {
    std::array<int64_t, 3> shape{1, 1, 1};
    shape[static_cast<std::size_t>(axis)] = size;
    const auto positions = at::arange(size, at::kDouble)
                               .view(shape)
                               .expand({grid.frames, grid.rows, grid.cols})
                               .flatten();
    const auto angle = angles(positions, channels / 2);
    return at::cat({angle.sin(), angle.cos()}, 1);
  };
  return at::cat({along(0, grid.frames, dim / 2), along(1, grid.rows, dim / 4),
                  along(2, grid.cols, dim / 4)},
                 1)
      .unsqueeze(0)
      .to(at::kFloat);
}

at::Tensor resample_positions(const at::Tensor& table, int64_t prefix, Extent from, Extent to,
                              Resampling resampling) {
  TORCH_CHECK(table.dim() == 3 && table.size(0) == 1 && table.size(1) == prefix + from.count(),
              "resample_positions: expected a table of [1, ", prefix, " + ", from.frames, "*",
              from.rows, "*", from.cols, ", D], got ", table.sizes());
  TORCH_CHECK(from.frames == to.frames, "resample_positions: from ", from.frames, " frames to ",
              to.frames, "; only rows and columns are resampled");
  if (from == to) return table;
  const auto grid = table.slice(1, prefix)
                        .to(at::kFloat)
                        .view({from.frames, from.rows, from.cols, table.size(2)})
                        .permute({0, 3, 1, 2});
  const std::array<int64_t, 2> size{to.rows, to.cols};
  const auto image = resample(grid, size, resampling);
  const auto resampled =
      image.permute({0, 2, 3, 1}).reshape({1, to.count(), table.size(2)}).to(table.scalar_type());
  return at::cat({table.slice(1, 0, prefix), resampled}, 1);
}

}  // namespace vit
