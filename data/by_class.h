#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <data/dataset.h>

namespace data {

/// How many of some entries are of each class, and of how many of that class: "cat 2 of 12, dog 1
/// of 9". The classes that lose the largest share come first; of many the rest is summed up.
/// Entries of several classes count for each.
std::string by_class(const Dataset& dataset, const std::vector<int64_t>& entries);

}  // namespace data
