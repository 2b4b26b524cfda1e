#include <algorithm>
#include <cmath>
#include <numbers>

#include <train/learning_rate.h>

namespace train {

double LearningRate::at(double epoch) const {
  if (epoch < warmup_epochs) return peak * epoch / warmup_epochs;
  const double rest = std::max(epochs - warmup_epochs, 1e-12);
  const double done = std::clamp((epoch - warmup_epochs) / rest, 0.0, 1.0);
  return lowest + (peak - lowest) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace train
