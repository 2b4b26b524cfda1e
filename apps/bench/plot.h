#pragma once

#include <string>
#include <vector>

#include <apps/bench/report.h>

namespace bench {

/// An SVG picture of the speed-up against the merge ratio: what was measured, a line for each
/// dtype, beside what the FLOPs would allow. `results` has the same settings for every dtype, one
/// dtype after the other; at least one.
std::string plot(const Setup& setup, const std::vector<Result>& results);

}  // namespace bench
