#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
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

struct SplitOptions {
  double share = 0.1;  ///< of the entries of each class that the second part gets, between 0 and 1
  uint64_t seed = 0;   ///< the same one gives the same parts
  /// Gets a line of text where the second part has nothing of some classes.
  std::function<void(const std::string&)> on_warning = {};
};

/// Two parts of a data set, the second with a share of each class, rounded, but never all of it;
/// entries of several classes count as of their first one. Throws base::Error where the share comes
/// to nothing of any class, with one that would do.
std::pair<std::unique_ptr<Subset>, std::unique_ptr<Subset>> split(
    std::shared_ptr<const Dataset> whole, const SplitOptions& options);

}  // namespace data
