#include "data/by_class.h"

#include <algorithm>
#include <cstddef>

#include <base/text.h>

namespace data {
namespace {

constexpr std::size_t kShown = 10;

struct Count {
  std::string name;
  int64_t some = 0;
  int64_t all = 0;

  double share() const { return static_cast<double>(some) / static_cast<double>(all); }
};

}  // namespace

std::string by_class(const Dataset& dataset, const std::vector<int64_t>& entries) {
  std::vector<Count> counts;
  for (const std::string& name : dataset.class_names()) counts.push_back({base::printable(name)});
  for (int64_t i = 0; i < dataset.size(); ++i)
    for (const int64_t label : dataset.entry(i).classes)
      ++counts[static_cast<std::size_t>(label)].all;
  for (const auto* classes : dataset.classes_of(entries))
    for (const int64_t label : *classes) ++counts[static_cast<std::size_t>(label)].some;
  std::erase_if(counts, [](const Count& count) { return count.some == 0; });
  std::stable_sort(counts.begin(), counts.end(),
                   [](const Count& a, const Count& b) { return a.share() > b.share(); });

  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(kShown, counts.size()); ++i)
    parts.push_back(counts[i].name + " " + std::to_string(counts[i].some) + " of " +
                    std::to_string(counts[i].all));
  if (counts.size() > kShown)
    parts.push_back("and some of " + std::to_string(counts.size() - kShown) + " more classes");
  return base::join(parts, ", ");
}

}  // namespace data
