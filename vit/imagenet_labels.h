#pragma once

#include <string>
#include <vector>

namespace vit {

/// Names of the 1,000 ImageNet-1k classes in the order of the usual checkpoints, for those that
/// bring no names themselves.
const std::vector<std::string>& imagenet1k_labels();

}  // namespace vit
