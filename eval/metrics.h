#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <eval/interval.h>
#include <eval/precision.h>
#include <eval/records.h>

namespace eval {

inline constexpr int64_t kCalibrationBins = 15;

/// Pictures whose confidence lies in one of the equal parts of (0, 1].
struct Bin {
  int64_t count = 0;
  double confidence = 0;  ///< mean of them; 0 without pictures
  double accuracy = 0;
};

/// How one class fares where every picture has one label.
struct ClassCounts {
  int64_t support = 0;    ///< pictures with that label
  int64_t correct = 0;    ///< those predicted to be of it
  int64_t predicted = 0;  ///< pictures predicted to be of it
};

/// Figures of single-label data under one schedule.
struct Accuracy {
  int64_t top1 = 0;  ///< pictures whose label is the most likely class
  int64_t top5 = 0;  ///< … among the five most likely ones
  double ece = 0;    ///< expected calibration error (arXiv 1706.04599)
  std::vector<Bin> bins;
  std::vector<ClassCounts> classes;
  std::map<std::pair<int64_t, int64_t>, int64_t> confusion;  ///< by label and prediction, if not 0
  int64_t lost = 0;    ///< pictures that the first schedule got right and this one did not
  int64_t gained = 0;  ///< the other way round
};

struct Figures {
  int64_t pictures = 0;  ///< that were evaluated
  double loss = 0;       ///< mean negative log-likelihood, or binary cross-entropy
  double agreement = 1;  ///< share whose most likely class is that of the first schedule
  std::optional<Accuracy> accuracy;    ///< of single-label data
  std::optional<Precision> precision;  ///< of multi-label data
  Decline decline;                     ///< of headline(), against the first schedule

  double top1() const { return share(accuracy->top1); }
  double top5() const { return share(accuracy->top5); }
  /// The most telling one: mAP of multi-label data, else top-1.
  double headline() const { return precision ? precision->mean : top1(); }

 private:
  double share(int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(pictures);
  }
};

/// For each schedule, of the pictures that have been evaluated; there must be one.
std::vector<Figures> figures(const Records& records, const Targets& targets);

/// Interval of (lost - gained) / pictures for matched pairs: Wald's with half a pair added to each
/// of the four cells (Agresti and Min, Statistics in Medicine 24, 2005), which also holds where few
/// pictures change.
Interval paired_interval(int64_t lost, int64_t gained, int64_t pictures);

}  // namespace eval
