#include "apps/eval/plot.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include <base/chart.h>
#include <base/text.h>

namespace eval {
namespace {

using Point = base::MergeChart::Point;

Point point(const Result& result, const Result& first) {
  Point point{result.merging.merge_ratio, result.figures.headline() * 100,
              result.setting.r.has_value()};
  if (&result == &first) return point;
  const Interval& lost = result.figures.decline.interval;
  point.low = (first.figures.headline() - lost.high) * 100;
  point.high = (first.figures.headline() - lost.low) * 100;
  return point;
}

std::string subtitle(const Setup& setup, const Result& result) {
  return std::to_string(result.figures.pictures) + " pictures of " + setup.data + ", " +
         setup.image_size + ", " + setup.dtype;
}

}  // namespace

std::string plot(const Setup& setup, const std::vector<Result>& results) {
  const Result& first = results.front();
  std::vector<std::pair<Point, std::string>> points;
  double x_high = 0.05;
  double y_low = 100;
  double y_high = 0;
  for (const Result& result : results) {
    const Point at = point(result, first);
    points.emplace_back(at, result.setting.label());
    x_high = std::max(x_high, at.ratio);
    y_low = std::min(y_low, at.low < at.high ? at.low : at.value);
    y_high = std::max({y_high, at.value, at.high});
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const auto& a, const auto& b) { return a.first.ratio < b.first.ratio; });
  const std::string figure = first.figures.precision ? "mAP" : "top-1";
  // A flat line shall not look like a mountain.
  base::MergeChart chart("Accuracy with token merging: " + setup.model, subtitle(setup, first),
                         x_high, std::min(y_low, y_high - 1), y_high,
                         [](double value) { return base::fixed(value, 1) + "%"; });
  std::vector<Point> line;
  for (auto& [at, name] : points) line.push_back(at);
  chart.line(line, figure + ", with the 95% interval of the loss", base::kChartColours[0]);
  for (auto& [at, name] : points) at.value = std::max(at.value, at.high);
  chart.names(points);
  return chart.text();
}

std::string confusion_plot(const Setup& setup, const Result& result) {
  constexpr double kSide = 600;  // of the matrix
  constexpr double kLeft = 150;  // for labels
  constexpr double kTop = 64;
  constexpr std::size_t kNamed = 60;  // classes that leave room for names
  const Accuracy& accuracy = *result.figures.accuracy;
  std::set<int64_t> shown;  // rows and columns: what appears at all
  for (const auto& [cell, count] : accuracy.confusion) shown.insert({cell.first, cell.second});
  const std::vector<int64_t> classes(shown.begin(), shown.end());
  const auto place = [&](int64_t index) {
    return static_cast<double>(std::lower_bound(classes.begin(), classes.end(), index) -
                               classes.begin());
  };
  const double cell = kSide / static_cast<double>(classes.size());

  std::ostringstream svg;
  svg << base::svg_head(kLeft + kSide + 24, kTop + kSide + 130, 24,
                        "Confusion, " + result.setting.label() + ": " + setup.model,
                        subtitle(setup, result));
  svg << "<rect x='" << kLeft << "' y='" << kTop << "' width='" << kSide << "' height='" << kSide
      << "' fill='#f7f7f7'/>\n";
  for (const auto& [at, count] : accuracy.confusion) {
    const auto [label, prediction] = at;
    const double share =
        static_cast<double>(count) /
        static_cast<double>(accuracy.classes[static_cast<std::size_t>(label)].support);
    const double x = kLeft + place(prediction) * cell;
    const double y = kTop + place(label) * cell;
    svg << "<rect x='" << x << "' y='" << y << "' width='" << cell << "' height='" << cell
        << "' fill='" << base::kChartColours[label == prediction ? 0 : 1] << "' fill-opacity='"
        << share << "'><title>"
        << base::svg_escaped(setup.class_names[static_cast<std::size_t>(label)] + " as " +
                             setup.class_names[static_cast<std::size_t>(prediction)] + ": " +
                             std::to_string(count))
        << "</title></rect>\n";
    if (classes.size() <= kNamed / 2)
      svg << base::svg_text(x + cell / 2, y + cell / 2 + 4, "middle", std::to_string(count),
                            share > 0.5 ? "fill='white'" : "");
  }
  for (std::size_t i = 0; classes.size() <= kNamed && i < classes.size(); ++i) {
    const std::string& name = setup.class_names[static_cast<std::size_t>(classes[i])];
    const double middle = (static_cast<double>(i) + 0.5) * cell + 4;
    std::ostringstream turn;
    turn << "transform='rotate(-45 " << kLeft + middle << " " << kTop + kSide + 14 << ")'";
    svg << base::svg_text(kLeft - 6, kTop + middle, "end", name)
        << base::svg_text(kLeft + middle, kTop + kSide + 14, "end", name, turn.str());
  }
  svg << base::svg_text(kLeft + kSide / 2, kTop + kSide + 118, "middle",
                        "rows: labels; columns: what they are taken for")
      << "</svg>\n";
  return svg.str();
}

}  // namespace eval
