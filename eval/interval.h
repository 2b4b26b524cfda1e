#pragma once

namespace eval {

inline constexpr double kNormal95 = 1.959963984540054;  ///< normal distribution's quantile at 0.975

/// 95 % confidence interval of a difference.
struct Interval {
  double low = 0;
  double high = 0;
};

/// What a schedule loses against the first one.
struct Decline {
  double value = 0;
  Interval interval;
};

}  // namespace eval
