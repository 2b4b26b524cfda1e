#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <data/subset.h>

namespace data {
namespace {

std::vector<Entry> picked(const Dataset& whole, const std::vector<int64_t>& indices) {
  std::vector<Entry> entries;
  for (const int64_t index : indices) entries.push_back(whole.entry(index));
  return entries;
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
    std::shared_ptr<const Dataset> whole, double share, uint64_t seed) {
  std::map<int64_t, std::vector<int64_t>> by_class;  // -1: entries of no class
  for (int64_t i = 0; i < whole->size(); ++i) {
    const std::vector<int64_t>& classes = whole->entry(i).classes;
    by_class[classes.empty() ? -1 : classes.front()].push_back(i);
  }
  std::mt19937_64 generator(seed);  // whose numbers the standard fixes, unlike std::shuffle's use
  std::vector<int64_t> first, second;
  for (auto& [label, indices] : by_class) {
    for (std::size_t left = indices.size(); left > 1; --left)
      std::swap(indices[left - 1], indices[generator() % left]);
    const auto wanted = std::llround(share * static_cast<double>(indices.size()));
    const auto most = static_cast<long long>(indices.size()) - 1;
    const auto border = indices.begin() + std::min(wanted, most);
    second.insert(second.end(), indices.begin(), border);
    first.insert(first.end(), border, indices.end());
  }
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {std::make_unique<Subset>(whole, first), std::make_unique<Subset>(whole, second)};
}

}  // namespace data
