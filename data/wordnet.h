#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace data {

inline constexpr std::size_t kImagenetClasses = 1000;

/// Index of the ImageNet-1k class with that WordNet id ("n01440764" is 0); nothing for other texts.
std::optional<int64_t> imagenet_class(std::string_view wordnet_id);

}  // namespace data
