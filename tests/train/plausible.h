#pragma once

#include <cmath>
#include <cstdint>

namespace test {

/// Whether something of that probability may well happen `count` times in so many draws: within
/// five standard deviations. Seeds are fixed, so that what holds once holds always.
inline bool plausible(int64_t count, int64_t draws, double probability) {
  const double mean = static_cast<double>(draws) * probability;
  return std::abs(static_cast<double>(count) - mean) <= 5.0 * std::sqrt(mean * (1.0 - probability));
}

}  // namespace test
