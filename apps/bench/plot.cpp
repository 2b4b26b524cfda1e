#include <algorithm>
#include <utility>

#include <apps/bench/plot.h>
#include <base/chart.h>
#include <base/text.h>

namespace bench {
namespace {

using Point = base::MergeChart::Point;
using Value = double (*)(const Result&);

constexpr const char* kFlopColour = "#8a8a8a";

double measured(const Result& result) { return result.speedup; }
double by_flops(const Result& result) { return result.flop_ratio; }

std::vector<Point> points(const std::vector<Result>& results, Value value) {
  std::vector<Point> points;
  for (const Result& result : results)
    points.push_back({result.merge_ratio, value(result), result.r.has_value()});
  return points;
}

// What each setting is called, at its highest point.
std::vector<std::pair<Point, std::string>> names(const std::vector<std::vector<Result>>& series) {
  std::vector<std::pair<Point, std::string>> names;
  for (std::size_t i = 0; i < series.front().size(); ++i) {
    const Result& result = series.front()[i];
    double top = result.flop_ratio;
    for (const auto& line : series) top = std::max(top, line[i].speedup);
    names.push_back({{result.merge_ratio, top}, label(result)});
  }
  return names;
}

}  // namespace

std::string plot(const Setup& setup, const std::vector<Result>& results) {
  std::vector<std::vector<Result>> series;
  double y_low = 1;
  double y_high = 1;
  double x_high = 0.05;
  for (const Result& result : results) {
    if (series.empty() || series.back().front().dtype != result.dtype) series.emplace_back();
    series.back().push_back(result);
    y_low = std::min({y_low, result.speedup, result.flop_ratio});
    y_high = std::max({y_high, result.speedup, result.flop_ratio});
    x_high = std::max(x_high, result.merge_ratio);
  }
  for (auto& line : series)
    std::stable_sort(line.begin(), line.end(), [](const Result& a, const Result& b) {
      return a.merge_ratio < b.merge_ratio;
    });
  base::MergeChart chart("Speed-up by token merging: " + setup.model,
                         setup.image_size + ", " + std::to_string(setup.num_tokens) +
                             " tokens, batch " + std::to_string(setup.batch) + ", " +
                             std::to_string(setup.threads) + " threads, " + setup.device,
                         x_high, y_low, std::max(y_high, y_low + 0.25),
                         [](double value) { return base::fixed(value, 2) + "x"; });
  chart.line(points(series.front(), by_flops), "what the FLOPs would allow", kFlopColour, "5 4");
  for (std::size_t i = 0; i < series.size(); ++i)
    chart.line(points(series[i], measured), "measured, " + series[i].front().dtype,
               base::kChartColours[i % base::kChartColours.size()]);
  chart.names(names(series));
  return chart.text();
}

}  // namespace bench
