#include "base/chart.h"

#include <algorithm>
#include <cmath>

#include <base/text.h>

namespace base {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 440;
constexpr double kLeft = 64;
constexpr double kRight = 24;
constexpr double kTop = 64;
constexpr double kBottom = 60;
constexpr int kTicks = 6;  // about as many on the vertical axis

}  // namespace

std::string svg_escaped(const std::string& text) {
  std::string safe;
  for (char c : printable(text))
    safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return safe;
}

std::string svg_text(double x, double y, const std::string& anchor, const std::string& words,
                     const std::string& style) {
  std::ostringstream svg;
  svg << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor << "'"
      << (style.empty() ? "" : " " + style) << ">" << svg_escaped(words) << "</text>\n";
  return svg.str();
}

std::string svg_head(double width, double height, double left, const std::string& title,
                     const std::string& subtitle) {
  std::ostringstream svg;
  svg << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << width << " " << height
      << "' width='" << width << "' height='" << height
      << "' font-family='sans-serif' font-size='12' fill='#333'>\n"
      << "<rect width='100%' height='100%' fill='white'/>\n"
      << svg_text(left, 24, "start", title, "font-size='15' font-weight='bold'")
      << svg_text(left, 42, "start", subtitle, "fill='#666'");
  return svg.str();
}

double tick_step(double range, int count) {
  const double raw = range / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw) return factor * power;
  return 10 * power;
}

MergeChart::MergeChart(const std::string& title, const std::string& subtitle, double ratio_high,
                       double low, double high, const std::function<std::string(double)>& tick)
    : legend_(kTop + 8) {
  const double step = tick_step(high - low, kTicks);
  // Room for names above the highest points and right of the last ones.
  x_max_ = ratio_high * 1.05;
  y_min_ = std::floor(low / step) * step;
  y_max_ = std::ceil(high / step + 0.4) * step;
  svg_ << svg_head(kWidth, kHeight, kLeft, title, subtitle);
  axes(tick);
}

double MergeChart::x(double ratio) const {
  return kLeft + ratio / x_max_ * (kWidth - kLeft - kRight);
}

double MergeChart::y(double value) const {
  return kHeight - kBottom - (value - y_min_) / (y_max_ - y_min_) * (kHeight - kTop - kBottom);
}

void MergeChart::axes(const std::function<std::string(double)>& tick) {
  const double vertical = tick_step(y_max_ - y_min_, kTicks);
  for (double value = y_min_; value < y_max_ + 1e-9; value += vertical)
    svg_ << "<line x1='" << kLeft << "' y1='" << y(value) << "' x2='" << kWidth - kRight << "' y2='"
         << y(value) << "' stroke='#e4e4e4'/>\n"
         << svg_text(kLeft - 8, y(value) + 4, "end", tick(value));
  const double horizontal = tick_step(x_max_, 8);
  for (double value = 0; value < x_max_ + 1e-9; value += horizontal)
    svg_ << svg_text(x(value), kHeight - kBottom + 18, "middle", fixed(value * 100, 0) + "%");
  svg_ << "<line x1='" << kLeft << "' y1='" << y(y_min_) << "' x2='" << kWidth - kRight << "' y2='"
       << y(y_min_) << "' stroke='#444'/>\n"
       << svg_text((kLeft + kWidth - kRight) / 2, kHeight - 18, "middle",
                   "merge ratio: share of the tokens merged away in all layers");
}

void MergeChart::line(std::vector<Point> points, const std::string& name, const std::string& colour,
                      const std::string& dashes) {
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.ratio < b.ratio; });
  svg_ << "<polyline fill='none' stroke='" << colour << "' stroke-width='2'"
       << (dashes.empty() ? "" : " stroke-dasharray='" + dashes + "'") << " points='";
  for (const Point& point : points)
    if (point.on_line) svg_ << x(point.ratio) << ',' << y(point.value) << ' ';
  svg_ << "'/>\n";
  for (const Point& point : points) {
    if (point.low < point.high)
      svg_ << "<line x1='" << x(point.ratio) << "' y1='" << y(point.low) << "' x2='"
           << x(point.ratio) << "' y2='" << y(point.high) << "' stroke='" << colour << "'/>\n";
    svg_ << "<circle cx='" << x(point.ratio) << "' cy='" << y(point.value) << "' r='3' fill='"
         << colour << "'/>\n";
  }
  svg_ << "<rect x='" << kLeft + 14 << "' y='" << legend_ - 8 << "' width='16' height='4' fill='"
       << colour << "'/>\n"
       << svg_text(kLeft + 38, legend_ - 1, "start", name);
  legend_ += 18;
}

void MergeChart::names(const std::vector<std::pair<Point, std::string>>& names) {
  constexpr double kNear = 40;
  constexpr double kLine = 14;
  double last_x = -kNear;
  double last_y = 0;
  for (const auto& [point, name] : names) {
    const double at = x(point.ratio);
    double above = y(point.value) - 9;
    if (at - last_x < kNear && std::abs(above - last_y) < kLine) above = last_y - kLine;
    svg_ << svg_text(at, above, "middle", name);
    last_x = at;
    last_y = above;
  }
}

}  // namespace base
