#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include <apps/bench/plot.h>
#include <apps/cli/text.h>

namespace bench {
namespace {

using cli::fixed;

constexpr double kWidth = 720;
constexpr double kHeight = 440;
constexpr double kLeft = 64;
constexpr double kRight = 24;
constexpr double kTop = 64;
constexpr double kBottom = 60;
constexpr std::array<const char*, 4> kColours = {"#1b6ca8", "#c8553d", "#3a7d44", "#7b5ea7"};
constexpr const char* kFlopColour = "#8a8a8a";

std::string escaped(const std::string& text) {
  std::string safe;
  for (char c : text)
    safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return safe;
}

// 1, 2 or 5 times a power of ten, so that about `count` of them span `range`.
double tick_step(double range, int count) {
  const double raw = range / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw) return factor * power;
  return 10 * power;
}

class Axes {
 public:
  Axes(double x_max, double y_min, double y_max) : x_max_(x_max), y_min_(y_min), y_max_(y_max) {}

  double x(double value) const { return kLeft + value / x_max_ * (kWidth - kLeft - kRight); }
  double y(double value) const {
    return kHeight - kBottom - (value - y_min_) / (y_max_ - y_min_) * (kHeight - kTop - kBottom);
  }

  void draw(std::ostream& svg) const {
    for (double value = y_min_; value < y_max_ + 1e-9; value += tick_step(y_max_ - y_min_, 6)) {
      svg << "<line x1='" << kLeft << "' y1='" << y(value) << "' x2='" << kWidth - kRight
          << "' y2='" << y(value) << "' stroke='#e4e4e4'/>\n";
      text(svg, kLeft - 8, y(value) + 4, "end", fixed(value, 2) + "x");
    }
    const double step = tick_step(x_max_, 8);
    for (double value = 0; value < x_max_ + 1e-9; value += step)
      text(svg, x(value), kHeight - kBottom + 18, "middle", fixed(value * 100, 0) + "%");
    svg << "<line x1='" << kLeft << "' y1='" << y(y_min_) << "' x2='" << kWidth - kRight << "' y2='"
        << y(y_min_) << "' stroke='#444'/>\n";
    text(svg, (kLeft + kWidth - kRight) / 2, kHeight - 18, "middle",
         "merge ratio: share of the tokens merged away in all layers");
  }

  static void text(std::ostream& svg, double x, double y, const char* anchor,
                   const std::string& words, const std::string& style = "") {
    svg << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor << "'"
        << (style.empty() ? "" : " " + style) << ">" << escaped(words) << "</text>\n";
  }

 private:
  double x_max_;
  double y_min_;
  double y_max_;
};

using Value = double (*)(const Result&);

double measured(const Result& result) { return result.speedup; }
double by_flops(const Result& result) { return result.flop_ratio; }

// Points of all results, and a line through those of constant r: between other schedules there is
// nothing to interpolate.
void draw(std::ostream& svg, const Axes& axes, const std::vector<Result>& results, Value value,
          const std::string& colour, const std::string& dashes) {
  svg << "<polyline fill='none' stroke='" << colour << "' stroke-width='2'"
      << (dashes.empty() ? "" : " stroke-dasharray='" + dashes + "'") << " points='";
  for (const Result& result : results)
    if (result.r) svg << axes.x(result.merge_ratio) << ',' << axes.y(value(result)) << ' ';
  svg << "'/>\n";
  for (const Result& result : results)
    svg << "<circle cx='" << axes.x(result.merge_ratio) << "' cy='" << axes.y(value(result))
        << "' r='3' fill='" << colour << "'/>\n";
}

// What each setting is called, above its highest point, and higher where the last name is near.
void draw_names(std::ostream& svg, const Axes& axes,
                const std::vector<std::vector<Result>>& series) {
  constexpr double kNear = 40;
  constexpr double kLine = 14;
  double last_x = -kNear;
  double last_y = 0;
  for (std::size_t i = 0; i < series.front().size(); ++i) {
    const Result& result = series.front()[i];
    double top = result.flop_ratio;
    for (const auto& line : series) top = std::max(top, line[i].speedup);
    const double x = axes.x(result.merge_ratio);
    double y = axes.y(top) - 9;
    if (x - last_x < kNear && std::abs(y - last_y) < kLine) y = last_y - kLine;
    Axes::text(svg, x, y, "middle", label(result));
    last_x = x;
    last_y = y;
  }
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
  const double step = tick_step(std::max(0.25, y_high - y_low), 6);
  // Room for names above the highest points and right of the last ones.
  const Axes axes(x_high * 1.05, std::floor(y_low / step) * step,
                  std::ceil(y_high / step + 0.4) * step);

  std::ostringstream svg;
  svg << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << kWidth << " " << kHeight
      << "' width='" << kWidth << "' height='" << kHeight
      << "' font-family='sans-serif' font-size='12' fill='#333'>\n"
      << "<rect width='100%' height='100%' fill='white'/>\n";
  Axes::text(svg, kLeft, 24, "start", "Speed-up by token merging: " + setup.model,
             "font-size='15' font-weight='bold'");
  Axes::text(svg, kLeft, 42, "start",
             setup.image_size + ", " + std::to_string(setup.num_tokens) + " tokens, batch " +
                 std::to_string(setup.batch) + ", " + std::to_string(setup.threads) + " threads, " +
                 setup.device,
             "fill='#666'");
  axes.draw(svg);
  draw(svg, axes, series.front(), by_flops, kFlopColour, "5 4");
  double legend = kTop + 8;
  const auto legend_entry = [&](const std::string& colour, const std::string& words) {
    svg << "<rect x='" << kLeft + 14 << "' y='" << legend - 8 << "' width='16' height='4' fill='"
        << colour << "'/>\n";
    Axes::text(svg, kLeft + 38, legend - 1, "start", words);
    legend += 18;
  };
  legend_entry(kFlopColour, "what the FLOPs would allow");
  for (std::size_t i = 0; i < series.size(); ++i) {
    const std::string colour = kColours[i % kColours.size()];
    draw(svg, axes, series[i], measured, colour, "");
    legend_entry(colour, "measured, " + series[i].front().dtype);
  }
  draw_names(svg, axes, series);
  svg << "</svg>\n";
  return svg.str();
}

}  // namespace bench
