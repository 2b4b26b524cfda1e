#include "data/wordnet.h"

#include <algorithm>
#include <iterator>

#include <base/text.h>

namespace data {
namespace {

// Ascending, which is the order of the classes, too.
constexpr int32_t kIds[] = {
#include <data/imagenet1k_wordnet_ids.inc>
};
static_assert(std::size(kIds) == kImagenetClasses);

}  // namespace

std::optional<int64_t> imagenet_class(std::string_view wordnet_id) {
  constexpr std::size_t kDigits = 8;
  if (wordnet_id.size() != 1 + kDigits || wordnet_id.front() != 'n') return std::nullopt;
  const auto number = base::parse_integer(wordnet_id.substr(1));
  const auto* found = std::lower_bound(std::begin(kIds), std::end(kIds), number.value_or(-1));
  if (!number || found == std::end(kIds) || *found != *number) return std::nullopt;
  return found - std::begin(kIds);
}

}  // namespace data
