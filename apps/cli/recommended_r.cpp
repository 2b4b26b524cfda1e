#include <algorithm>

#include <apps/cli/recommended_r.h>
#include <tome/schedule.h>

namespace cli {

int64_t largest_r(const vit::VitConfig& config) {
  const auto fits = [&](int64_t r) {
    const tome::Schedule schedule(r);
    int64_t tokens = config.num_tokens();
    for (int64_t layer = 0; layer < config.depth; ++layer, tokens -= r)
      if (schedule.merged({layer, config.depth, tokens, config.num_prefix_tokens()}) < r)
        return false;
    return true;
  };
  int64_t r = 0;
  while (fits(r + 1)) ++r;
  return r;
}

int64_t recommended_r(const vit::VitConfig& config) {
  return std::min(largest_r(config), config.num_patches() * 4 / (5 * config.depth));
}

}  // namespace cli
