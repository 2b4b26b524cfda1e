#include <algorithm>
#include <iterator>
#include <string_view>

#include <vit/weights/wrappers.h>

namespace vit {
namespace {

bool strip_prefix(StateDict& weights, std::string_view prefix) {
  const auto has_prefix = [&](const auto& item) { return item.first.starts_with(prefix); };
  if (weights.empty() || !std::all_of(weights.begin(), weights.end(), has_prefix)) return false;
  StateDict stripped;
  for (const auto& [name, tensor] : weights) stripped.emplace(name.substr(prefix.size()), tensor);
  weights = std::move(stripped);
  return true;
}

}  // namespace

StateDict without_wrapper_prefixes(StateDict weights) {
  constexpr std::string_view kPrefixes[] = {"module.", "_orig_mod.", "model.", "backbone."};
  constexpr int kMaxNesting = 4;
  for (int i = 0; i < kMaxNesting; ++i)
    if (std::none_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return strip_prefix(weights, prefix); }))
      break;
  return weights;
}

}  // namespace vit
