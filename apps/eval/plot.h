#pragma once

#include <string>
#include <vector>

#include <apps/eval/report.h>

namespace eval {

/// An SVG picture of top-1 accuracy (or mAP) against the merge ratio, with the interval of what was
/// lost against the first schedule.
std::string plot(const Setup& setup, const std::vector<Result>& results);

/// An SVG picture of which label is taken for which class under one schedule of single-label data;
/// its shades are shares of the pictures with that label.
std::string confusion_plot(const Setup& setup, const Result& result);

}  // namespace eval
