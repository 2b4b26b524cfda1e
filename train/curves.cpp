#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

#include <base/chart.h>
#include <base/text.h>
#include <train/curves.h>

namespace train {
namespace {

constexpr double kPanel = 380, kHeight = 340;  // of one chart, pixels
constexpr double kLeft = 56, kRight = 16, kTop = 64, kBottom = 48;
constexpr int kTicks = 5;

struct Line {
  std::string name;
  std::string colour;
  std::vector<double> values;  // one for each epoch
};

// One chart: axes, a line for each list of values, their names.
class Panel {
 public:
  Panel(double left, int64_t epochs, const std::vector<Line>& lines)
      : left_(left + kLeft), epochs_(static_cast<double>(epochs)) {
    low_ = INFINITY, high_ = -INFINITY;
    for (const Line& line : lines)
      for (const double value : line.values) {
        low_ = std::min(low_, value);
        high_ = std::max(high_, value);
      }
    if (!(high_ - low_ > 1e-9)) low_ -= 1e-3 + std::abs(low_) * 0.01;
    step_ = base::tick_step(high_ - low_, kTicks);
    low_ = std::floor(low_ / step_) * step_;
    high_ = std::ceil(high_ / step_) * step_;
  }

  std::string text(const std::vector<Line>& lines,
                   const std::function<std::string(double)>& tick) const {
    std::ostringstream svg;
    const double right = left_ + kPanel - kLeft - kRight;
    for (double value = low_; value < high_ + step_ / 2; value += step_)
      svg << "<line x1='" << left_ << "' y1='" << y(value) << "' x2='" << right << "' y2='"
          << y(value) << "' stroke='#e4e4e4'/>\n"
          << base::svg_text(left_ - 8, y(value) + 4, "end", tick(value));
    const double epoch_step = std::max(1.0, base::tick_step(epochs_, kTicks));
    for (double epoch = epoch_step; epoch < epochs_ + 0.5; epoch += epoch_step)
      svg << base::svg_text(x(epoch), kHeight - kBottom + 18, "middle", base::fixed(epoch, 0));
    svg << base::svg_text((left_ + right) / 2, kHeight - 12, "middle", "epoch");
    double legend = left_;
    for (const Line& line : lines) {
      svg << "<polyline fill='none' stroke='" << line.colour << "' stroke-width='2' points='";
      for (std::size_t i = 0; i < line.values.size(); ++i)
        svg << x(static_cast<double>(i + 1)) << ',' << y(line.values[i]) << ' ';
      svg << "'/>\n<circle cx='" << x(static_cast<double>(line.values.size())) << "' cy='"
          << y(line.values.back()) << "' r='3' fill='" << line.colour << "'/>\n"
          << "<rect x='" << legend << "' y='" << kTop - 14 << "' width='16' height='4' fill='"
          << line.colour << "'/>\n"
          << base::svg_text(legend + 22, kTop - 8, "start", line.name);
      legend += 40 + 7 * static_cast<double>(base::columns(line.name));
    }
    return svg.str();
  }

 private:
  double x(double epoch) const {
    const double share = epochs_ > 1 ? (epoch - 1) / (epochs_ - 1) : 0.5;
    return left_ + share * (kPanel - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom - (value - low_) / (high_ - low_) * (kHeight - kTop - kBottom);
  }

  double left_, epochs_, low_, high_, step_;
};

Line line_of(const std::vector<EpochResult>& history, const std::string& name, std::size_t colour,
             const std::function<double(const EpochResult&)>& value) {
  Line line{name, base::kChartColours[colour], {}};
  for (const EpochResult& result : history) line.values.push_back(value(result));
  return line;
}

}  // namespace

std::string curves_svg(const std::vector<EpochResult>& history, const std::string& score) {
  const auto epochs = static_cast<int64_t>(history.size());
  const EpochResult& last = history.back();
  std::vector<Line> losses{
      line_of(history, "training loss", 0, [](const EpochResult& r) { return r.loss; })};
  std::string subtitle =
      "after epoch " + std::to_string(last.epoch) + ": loss " + base::fixed(last.loss, 4);
  std::string charts;
  if (!score.empty()) {
    losses.push_back(line_of(history, "validation loss", 1,
                             [](const EpochResult& r) { return r.validation_loss; }));
    const std::vector<Line> scores{
        line_of(history, score, 2, [](const EpochResult& r) { return 100 * r.score; })};
    charts = Panel(kPanel, epochs, scores).text(scores, [](double value) {
      return base::fixed(value, 1) + "%";
    });
    subtitle += ", " + score + " " + base::percent(last.score, 2);
  }
  charts = Panel(0, epochs, losses).text(losses, [](double value) {
    return base::fixed(value, 2);
  }) + charts;
  return base::svg_head(score.empty() ? kPanel : 2 * kPanel, kHeight, kLeft, "Training", subtitle) +
         charts + "</svg>\n";
}

}  // namespace train
