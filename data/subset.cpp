#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <sstream>

#include <base/error.h>
#include <base/text.h>
#include <data/subset.h>

namespace data {
namespace {

std::vector<Entry> picked(const Dataset& whole, const std::vector<int64_t>& indices) {
  std::vector<Entry> entries;
  for (const int64_t index : indices) entries.push_back(whole.entry(index));
  return entries;
}

constexpr int64_t kNoClass = -1;

using ByClass = std::map<int64_t, std::vector<int64_t>>;

ByClass entries_by_class(const Dataset& dataset) {
  ByClass classes;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::vector<int64_t>& labels = dataset.entry(i).classes;
    classes[labels.empty() ? kNoClass : labels.front()].push_back(i);
  }
  return classes;
}

int64_t held_back(double share, std::size_t entries) {
  const auto most = static_cast<int64_t>(entries) - 1;
  return std::min<int64_t>(std::llround(share * static_cast<double>(entries)), most);
}

// The smallest share that takes one of so many entries, rounded up to two digits: "0.084" of 6.
std::string enough_for(std::size_t entries) {
  const double share = 0.5 / static_cast<double>(entries);
  const int digits = 2 - static_cast<int>(std::floor(std::log10(share))) - 1;
  const double scale = std::pow(10, digits);
  return base::fixed(std::ceil(share * scale - 1e-9) / scale, digits);
}

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

// "3 to 6"
std::string sizes(std::size_t fewest, std::size_t most) {
  return fewest == most ? std::to_string(most)
                        : std::to_string(fewest) + " to " + std::to_string(most);
}

[[noreturn]] void fail_empty(const ByClass& classes, double share) {
  std::size_t fewest = SIZE_MAX, most = 0;
  for (const auto& [label, indices] : classes) {
    fewest = std::min(fewest, indices.size());
    most = std::max(most, indices.size());
  }
  const std::string counts =
      std::to_string(classes.size()) + " classes of " + sizes(fewest, most) + " pictures each";
  if (most < 2)
    base::fail("no picture is held back for validation: the data has ", counts,
               ", of which none can be spared; bring validation data of its own");
  base::fail(base::Setting{"SplitOptions::share"}, " is ", share,
             ", which holds back no picture of any class: the data has ", counts, "; ",
             enough_for(most), " takes one of the largest class",
             fewest > 1 && fewest < most ? ", " + enough_for(fewest) + " one of each" : "");
}

std::string warning(const std::vector<std::string>& without, double share) {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> shown;
  for (const std::string& name : without)
    if (shown.size() < kShown) shown.push_back(base::printable(name));
  if (without.size() > kShown) shown.emplace_back("…");
  return "nothing of " + std::to_string(without.size()) +
         " classes is held back for validation, since they have too few pictures for a share of " +
         number(share) + ": " + base::join(shown, ", ");
}

}  // namespace

Subset::Subset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices)
    : Dataset(picked(*whole, indices), whole->class_names(), whole->multi_label()),
      whole_(std::move(whole)),
      indices_(std::move(indices)) {}

at::Tensor Subset::read(int64_t index) const {
  return whole_->read(indices_[static_cast<std::size_t>(index)]);
}

std::pair<std::unique_ptr<Subset>, std::unique_ptr<Subset>> split(
    std::shared_ptr<const Dataset> whole, const SplitOptions& options) {
  const ByClass classes = entries_by_class(*whole);
  std::mt19937_64 generator(
      options.seed);  // whose numbers the standard fixes, unlike std::shuffle's
  std::vector<int64_t> first, second;
  std::vector<std::string> without;
  for (auto [label, indices] : classes) {
    for (std::size_t left = indices.size(); left > 1; --left)
      std::swap(indices[left - 1], indices[generator() % left]);
    const int64_t count = held_back(options.share, indices.size());
    if (count == 0 && label != kNoClass)
      without.push_back(whole->class_names()[static_cast<std::size_t>(label)]);
    const auto border = indices.begin() + count;
    second.insert(second.end(), indices.begin(), border);
    first.insert(first.end(), border, indices.end());
  }
  if (second.empty()) fail_empty(classes, options.share);
  if (!without.empty() && options.on_warning) options.on_warning(warning(without, options.share));
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {std::make_unique<Subset>(whole, first), std::make_unique<Subset>(whole, second)};
}

}  // namespace data
