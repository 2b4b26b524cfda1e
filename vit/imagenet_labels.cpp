#include <iterator>
#include <string_view>

#include <vit/imagenet_labels.h>

namespace vit {
namespace {

constexpr const char* k1kLabels[] = {
#include <vit/imagenet1k_labels.inc>
};

// One string, as the compiler takes much longer for as many.
constexpr char k21kLabels[] =
#include <vit/imagenet21k_labels.inc>
    ;

/// The labels whose digit has the bit `member`; all of them for 0.
std::vector<std::string> subset_of_21k(unsigned member) {
  constexpr std::string_view lines(k21kLabels, sizeof(k21kLabels) - 1);
  std::vector<std::string> labels;
  for (size_t start = 0; start < lines.size();) {
    const size_t end = lines.find('\n', start);
    const char digit = lines[start];
    const auto bits = static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    if ((bits & member) == member) labels.emplace_back(lines.substr(start + 1, end - start - 1));
    start = end + 1;
  }
  return labels;
}

}  // namespace

const std::vector<std::string>& imagenet_labels(int64_t num_classes) {
  using Labels = std::vector<std::string>;
  switch (num_classes) {
    case 1000: {
      static const Labels labels(std::begin(k1kLabels), std::end(k1kLabels));
      return labels;
    }
    case 21843: {
      static const Labels labels = subset_of_21k(0);
      return labels;
    }
    case 21841: {
      static const Labels labels = subset_of_21k(1);
      return labels;
    }
    case 11821: {
      static const Labels labels = subset_of_21k(2);
      return labels;
    }
    case 11221: {
      static const Labels labels = subset_of_21k(4);
      return labels;
    }
    case 10450: {
      static const Labels labels = subset_of_21k(8);
      return labels;
    }
  }
  static const Labels none;
  return none;
}

}  // namespace vit
