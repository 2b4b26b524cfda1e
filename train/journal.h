#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <train/event_file.h>
#include <train/progress.h>

namespace train {

/// What a run leaves to read: log.txt, metrics.csv (a row for each epoch), curves.svg, and curves
/// for TensorBoard.
class Journal {
 public:
  /// Makes `folder`; goes on in the log of an earlier part of the run, of which the curves count up
  /// to step `done`.
  explicit Journal(const std::filesystem::path& folder, int64_t done = 0);

  /// A line in the log, with the time.
  void line(const std::string& text);

  /// A point of the curves of the steps.
  void step(int64_t step, double loss, double rate, double norm, double pictures_per_second);

  /// The end of an epoch: its points, metrics.csv and curves.svg anew. `score` is what the score of
  /// the validation is called; empty if there is none.
  void epoch(const Progress& progress, const std::string& score);

  void settings(const std::string& json);

 private:
  std::filesystem::path folder_;
  std::ofstream log_;
  EventFile events_;
};

}  // namespace train
