#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <eval/interval.h>
#include <eval/records.h>

// Mean average precision (mAP), for pictures with several labels.

namespace eval {

struct AveragePrecision {
  double value = 0;
  /// How much the value grows with each picture's weight, all weights being one: how far the value
  /// would move if there were more pictures like it.
  std::vector<double> influence;
};

/// Mean of the precision at each recall step, weighted by its height, equal scores taken together:
/// scikit-learn's average_precision_score. Nothing without a relevant picture.
std::optional<AveragePrecision> average_precision(const std::vector<float>& scores,
                                                  const std::vector<bool>& relevant);

/// Figures of multi-label data under one schedule.
struct Precision {
  std::vector<std::optional<double>> average;  ///< by class; nothing where no picture shows it
  double mean = 0;                             ///< of those that there are (mAP)
  std::vector<double> influence;               ///< of each picture on the mean
};

/// Of `logits` [n, C] float32 those rows that `pictures` names; `targets` by row, each ascending.
Precision precision(const at::Tensor& logits, const std::vector<int64_t>& pictures,
                    const Targets& targets);

/// first.mean - other.mean, both of the same pictures. The interval is that of the infinitesimal
/// jackknife (Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982): its variance
/// is the sum over the pictures of the squared difference of their influence, for many pictures
/// what resampling them gives.
Decline mean_decline(const Precision& first, const Precision& other);

}  // namespace eval
