#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vit {

/// Names of the classes of ImageNet in the order of the usual checkpoints, for those that bring no
/// names themselves. The number of classes tells which: 1,000 (ImageNet-1k), 21,843 and 21,841
/// (21k as AugReg and as others number it), 11,821 (12k), 11,221 and 10,450 (21K-P). Empty for any
/// other number.
const std::vector<std::string>& imagenet_labels(int64_t num_classes);

}  // namespace vit
