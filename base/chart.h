#pragma once

#include <array>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace base {

/// Colours that are told apart in a chart, in the order of their use.
inline constexpr std::array<const char*, 4> kChartColours = {"#1b6ca8", "#c8553d", "#3a7d44",
                                                             "#7b5ea7"};

/// Text as SVG wants it.
std::string svg_escaped(const std::string& text);

/// A <text> element; `style` holds further attributes.
std::string svg_text(double x, double y, const std::string& anchor, const std::string& words,
                     const std::string& style = "");

/// The beginning of an SVG picture on white, with a title and a line below it, whose text begins at
/// `left`. "</svg>" ends it.
std::string svg_head(double width, double height, double left, const std::string& title,
                     const std::string& subtitle);

/// 1, 2 or 5 times a power of ten, so that about `count` of them span `range`.
double tick_step(double range, int count);

/// A value for each merge ratio as an SVG picture: lines, points, names of the points, legend.
class MergeChart {
 public:
  struct Point {
    double ratio = 0;
    double value = 0;
    bool on_line = true;  ///< of a constant r: between other schedules nothing is interpolated
    double low = 0;       ///< an interval around the value, drawn if it is not empty
    double high = 0;
  };

  /// The axes hold all values from `low` to `high`; `tick` writes one.
  MergeChart(const std::string& title, const std::string& subtitle, double ratio_high, double low,
             double high, const std::function<std::string(double)>& tick);

  /// In any order; `dashes` as in stroke-dasharray.
  void line(std::vector<Point> points, const std::string& name, const std::string& colour,
            const std::string& dashes = "");

  /// Writes each name above its point, and higher where the last name is near; in ascending order
  /// of the ratios.
  void names(const std::vector<std::pair<Point, std::string>>& names);

  std::string text() const { return svg_.str() + "</svg>\n"; }

 private:
  double x(double ratio) const;
  double y(double value) const;
  void axes(const std::function<std::string(double)>& tick);

  double x_max_;
  double y_min_;
  double y_max_;
  double legend_;
  std::ostringstream svg_;
};

}  // namespace base
