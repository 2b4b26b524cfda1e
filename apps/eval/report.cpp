#include "apps/eval/report.h"

#include <algorithm>
#include <optional>

#include <base/table.h>
#include <base/text.h>

namespace eval {
namespace {

using base::fixed;
using base::percent;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kFewClasses = 25;  // whose accuracies fit on a terminal

bool is_multi_label(const std::vector<Result>& results) {
  return results.front().figures.precision.has_value();
}

std::string points(double share) { return fixed(share * 100, 2); }

// "0.24 (-0.08 to 0.56)", in points.
std::string lost(const Decline& decline) {
  return points(decline.value) + " (" + points(decline.interval.low) + " to " +
         points(decline.interval.high) + ")";
}

// A header and a row for each schedule.
Rows schedule_rows(const Setup& setup, const std::vector<Result>& results) {
  const bool multi = is_multi_label(results);
  std::vector<std::string> header = {"schedule", "tokens", "GFLOPs"};
  if (multi)
    header.insert(header.end(), {"mAP", "BCE", "same top-1", "mAP lost (95% interval)"});
  else
    header.insert(header.end(), {"top-1", "top-5", setup.scores == "sigmoid" ? "BCE" : "NLL", "ECE",
                                 "same top-1", "top-1 lost (95% interval)"});
  Rows rows = {header};
  for (const Result& result : results) {
    const Figures& figures = result.figures;
    const bool first = &result == &results.front();
    std::vector<std::string> row = {
        result.setting.label(), std::to_string(result.merging.tokens.back()),
        fixed(result.merging.gflops, result.merging.gflops < 10 ? 3 : 1)};
    const std::string loss = first ? "" : lost(figures.decline);
    if (multi) {
      row.insert(row.end(), {percent(figures.precision->mean, 2), fixed(figures.loss, 4),
                             percent(figures.agreement, 2), loss});
    } else {
      row.insert(row.end(),
                 {percent(figures.top1(), 2), percent(figures.top5(), 2), fixed(figures.loss, 4),
                  fixed(figures.accuracy->ece, 4), percent(figures.agreement, 2), loss});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Share of the class's pictures that are recognised, or its average precision; nothing if no
// picture shows it.
std::optional<double> of_class(const Figures& figures, std::size_t index) {
  if (figures.precision) return figures.precision->average[index];
  const ClassCounts& counts = figures.accuracy->classes[index];
  if (counts.support == 0) return std::nullopt;
  return static_cast<double>(counts.correct) / static_cast<double>(counts.support);
}

// A header and a row for each class that pictures show.
Rows class_rows(const Setup& setup, const std::vector<Result>& results) {
  std::vector<std::string> header = {"class"};
  if (!is_multi_label(results)) header.emplace_back("pictures");
  for (const Result& result : results) header.push_back(result.setting.label());
  Rows rows = {header};
  for (std::size_t i = 0; i < setup.class_names.size(); ++i) {
    if (!of_class(results.front().figures, i)) continue;
    std::vector<std::string> row = {base::printable(setup.class_names[i])};
    if (const auto& accuracy = results.front().figures.accuracy)
      row.push_back(std::to_string(accuracy->classes[i].support));
    for (const Result& result : results)
      row.push_back(percent(of_class(result.figures, i).value_or(0), 2));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string aligned(const Rows& rows) {
  base::Table table(1);
  for (const auto& row : rows) table.add(row);
  return table.text();
}

std::string markdown_table(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) {
    text += "|";
    for (std::string cell : row) {
      for (std::size_t bar = 0; (bar = cell.find('|', bar)) != std::string::npos; bar += 2)
        cell.insert(bar, 1, '\\');
      text += " " + cell + " |";
    }
    text += "\n";
    if (&row != &rows.front()) continue;
    text += "|---|";
    for (std::size_t i = 1; i < row.size(); ++i) text += "---:|";
    text += "\n";
  }
  return text;
}

std::string description(const Setup& setup, const std::vector<Result>& results) {
  const int64_t evaluated = results.front().figures.pictures;
  std::string text =
      setup.model + ", " + setup.image_size + ", " + std::to_string(setup.num_tokens) +
      " tokens, " + setup.dtype + " on " + setup.device + "; " + std::to_string(evaluated) +
      (setup.complete ? "" : " of " + std::to_string(setup.asked)) + " pictures of " + setup.data;
  if (!setup.failures.empty()) text += ", " + std::to_string(setup.failures.size()) + " left out";
  if (setup.scores != "softmax") text += "; scores by " + setup.scores;
  return text;
}

}  // namespace

std::string table(const Setup& setup, const std::vector<Result>& results) {
  std::string text = base::printable(description(setup, results)) + "\n\n" +
                     aligned(schedule_rows(setup, results));
  const Rows classes = class_rows(setup, results);
  if (classes.size() > 1 && classes.size() <= kFewClasses + 1)
    text.append("\n").append(aligned(classes));
  return text;
}

std::string markdown(const Setup& setup, const std::vector<Result>& results) {
  std::string text = base::printable(description(setup, results)) + "\n\n" +
                     markdown_table(schedule_rows(setup, results));
  const Rows classes = class_rows(setup, results);
  if (classes.size() > 1) text.append("\n").append(markdown_table(classes));
  return text;
}

std::string csv(const Setup& setup, const std::vector<Result>& results) {
  std::string text =
      base::csv_line({"model",     "data",      "schedule",      "r",           "dtype",
                      "device",    "pictures",  "failed",        "merge_ratio", "final_tokens",
                      "gflops",    "top1",      "top5",          "map",         "loss",
                      "ece",       "agreement", "accuracy_loss", "map_loss",    "loss_low",
                      "loss_high", "complete"});
  for (const Result& result : results) {
    const Figures& figures = result.figures;
    const Accuracy* accuracy = figures.accuracy ? &*figures.accuracy : nullptr;
    const Decline& loss = figures.decline;
    text += base::csv_line({base::inert_cell(setup.model),
                            base::inert_cell(setup.data),
                            result.setting.schedule.to_string(),
                            result.setting.r ? std::to_string(*result.setting.r) : "",
                            setup.dtype,
                            setup.device,
                            std::to_string(figures.pictures),
                            std::to_string(setup.failures.size()),
                            fixed(result.merging.merge_ratio, 4),
                            std::to_string(result.merging.tokens.back()),
                            fixed(result.merging.gflops, 6),
                            accuracy ? fixed(figures.top1(), 6) : "",
                            accuracy ? fixed(figures.top5(), 6) : "",
                            figures.precision ? fixed(figures.precision->mean, 6) : "",
                            fixed(figures.loss, 6),
                            accuracy ? fixed(accuracy->ece, 6) : "",
                            fixed(figures.agreement, 6),
                            accuracy ? fixed(loss.value, 6) : "",
                            accuracy ? "" : fixed(loss.value, 6),
                            fixed(loss.interval.low, 6),
                            fixed(loss.interval.high, 6),
                            setup.complete ? "1" : "0"});
  }
  return text;
}

}  // namespace eval
