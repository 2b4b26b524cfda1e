#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include <train/seeds.h>

namespace train {

/// Random numbers that follow from a seed alone, on any machine and with any standard library:
/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), a hash of a counter.
class Random {
 public:
  /// Seeds that differ little give numbers that have nothing in common.
  explicit Random(uint64_t seed) : counter_(finalize(seed + kSeedStep)) {}

  /// 64 random bits.
  uint64_t bits() { return finalize(counter_ += kSeedStep); }

  /// 0 <= x < 1.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// One of 0 .. count - 1.
  int64_t below(int64_t count) {
    return static_cast<int64_t>(uniform() * static_cast<double>(count));
  }

  /// True with that probability.
  bool chance(double probability) { return uniform() < probability; }

  /// Standard normal, in steps as fine as float32 has them (Box and Muller, 1958).
  float normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const uint64_t drawn = bits();
    const float radius =
        std::sqrt(-2.0F * std::log((static_cast<float>(drawn >> 32) + 1) * 0x1p-32F));
    const float angle =
        static_cast<float>(drawn & 0xffffff) * (0x1p-23F * std::numbers::pi_v<float>);
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  uint64_t counter_;
  float spare_ = 0;  ///< normals come in pairs
  bool has_spare_ = false;
};

}  // namespace train
