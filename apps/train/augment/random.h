#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace train {

/// Random numbers that follow from a seed alone, on any machine and with any standard library:
/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), a hash of a counter.
class Random {
 public:
  /// Seeds that differ little give numbers that have nothing in common.
  explicit Random(uint64_t seed) : counter_(mix(seed + kStep)) {}

  /// 64 random bits.
  uint64_t bits() { return mix(counter_ += kStep); }

  /// 0 <= x < 1.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// One of 0 .. count - 1.
  int64_t below(int64_t count) {
    return static_cast<int64_t>(uniform() * static_cast<double>(count));
  }

  /// True with that probability.
  bool chance(double probability) { return uniform() < probability; }

  /// Standard normal (Box and Muller, 1958).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t counter_;
};

}  // namespace train
