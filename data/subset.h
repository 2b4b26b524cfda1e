#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <data/dataset.h>

namespace data {

/// Some entries of a data set, in that order, as a data set with the same classes.
class Subset : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices);
  at::Tensor read(int64_t index) const override;

 private:
  std::shared_ptr<const Dataset> whole_;
  std::vector<int64_t> indices_;
};

/// Two parts of a data set, the second with `share` (above 0, below 1) of the entries of each
/// class, rounded, but never all of them; entries of several classes count as of their first one.
/// The same `seed` gives the same parts.
std::pair<std::unique_ptr<Subset>, std::unique_ptr<Subset>> split(
    std::shared_ptr<const Dataset> whole, double share, uint64_t seed);

}  // namespace data
