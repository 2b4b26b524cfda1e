#pragma once

#include <string>
#include <vector>

#include <train/progress.h>

namespace train {

/// Losses and, beside them, the validation's score against the epochs, as an SVG picture. `score`
/// is what it is called ("top-1"); empty where there was no validation. There must be an epoch.
std::string curves_svg(const std::vector<EpochResult>& history, const std::string& score);

}  // namespace train
