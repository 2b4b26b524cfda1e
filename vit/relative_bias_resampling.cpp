#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/relative_bias_resampling.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

/// The factor by which steps grow, so that `steps` of them, the first of length 1, cover `length`.
double growth(int64_t steps, int64_t length) {
  double low = 1.01, high = 1.5, factor = 0;
  while (high - low > 1e-6) {
    factor = (low + high) / 2;
    const double covered = (1 - std::pow(factor, static_cast<double>(steps))) / (1 - factor);
    (covered > static_cast<double>(length) ? high : low) = factor;
  }
  return factor;
}

/// Where the displacements along a side of `from` patches lie among those along one of `to`.
std::vector<float> spread_displacements(int64_t from, int64_t to) {
  const int64_t steps = from - 1;
  const double factor = growth(steps, to - 1);
  std::vector<float> places(static_cast<size_t>(2 * from - 1));
  double place = 0, step = 1;
  for (int64_t i = 1; i <= steps; ++i) {
    place += step;
    step *= factor;
    places[static_cast<size_t>(steps + i)] = static_cast<float>(place);
    places[static_cast<size_t>(steps - i)] = static_cast<float>(-place);
  }
  return places;
}

/// How much each known displacement (column) counts for each new one (row), along one side.
at::Tensor shares(int64_t from, int64_t to) {
  const auto places = spread_displacements(from, to);
  const auto known = static_cast<int64_t>(places.size());
  auto result = at::zeros({2 * to - 1, known}, at::kFloat);
  auto share = result.accessor<float, 2>();
  for (int64_t row = 0; row < 2 * to - 1; ++row) {
    const auto at = static_cast<float>(row - (to - 1));
    const int64_t next = std::lower_bound(places.begin(), places.end(), at) - places.begin();
    const int64_t right = std::min(next, known - 1), left = std::max<int64_t>(right - 1, 0);
    const auto place = [&](int64_t i) { return places[static_cast<size_t>(i)]; };
    // What lies beyond the last known displacement has its bias.
    const float before = std::max(at - place(left), 0.0F),
                behind = std::max(place(right) - at, 0.0F);
    const float whole = before + behind;
    share[row][left] += whole > 0 ? behind / whole : 0.5F;
    share[row][right] += whole > 0 ? before / whole : 0.5F;
  }
  return result;
}

}  // namespace

at::Tensor resample_relative_bias(const at::Tensor& table, Size2d from, Size2d to) {
  const auto displacements = [](Size2d grid) {
    return (2 * grid.height - 1) * (2 * grid.width - 1);
  };
  if (from.height < 1 || from.width < 1 || to.height < 1 || to.width < 1 || table.dim() != 2 ||
      table.size(0) < displacements(from))
    fail("resample_relative_bias: a table of shape ", shape_text(table.sizes()),
         " cannot be taken from a grid of ", from.height, "x", from.width, " patches to one of ",
         to.height, "x", to.width);
  if (from == to) return table;
  const auto known = table.slice(0, 0, displacements(from)).to(at::kFloat);
  const auto grid = known.t().reshape({-1, 2 * from.height - 1, 2 * from.width - 1});
  const auto rows = shares(from.height, to.height).to(grid.device());
  const auto cols = shares(from.width, to.width).to(grid.device());
  const auto resampled = at::matmul(at::matmul(rows, grid), cols.t());
  return at::cat(
      {resampled.flatten(1).t().to(table.scalar_type()), table.slice(0, displacements(from))});
}

}  // namespace vit
