#pragma once

namespace train {

/// Linear warm-up from nothing to the peak, then half a cosine down to the lowest.
struct LearningRate {
  double peak = 1e-3;
  double lowest = 1e-6;
  double warmup_epochs = 5;
  double epochs = 100;

  /// At a time in epochs, 0 … epochs.
  double at(double epoch) const;
};

}  // namespace train
