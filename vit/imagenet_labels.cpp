#include <vit/imagenet_labels.h>

namespace vit {

const std::vector<std::string>& imagenet1k_labels() {
  static const std::vector<std::string> labels{
#include <vit/imagenet1k_labels.inc>
  };
  return labels;
}

}  // namespace vit
