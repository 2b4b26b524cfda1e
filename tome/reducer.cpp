#include <numeric>

#include <tome/kernels.h>
#include <tome/matching.h>
#include <tome/reducer.h>

namespace tome {

std::optional<vit::ReducerNeeds> Reducer::needs(const vit::LayerTokens& at) const {
  if (options_.r.merged(at) == 0) return std::nullopt;
  return vit::ReducerNeeds{.key_metric = true,
                           .rotated = options_.rotary == RotaryRule::rotated_metric};
}

std::optional<int64_t> Reducer::tokens_after(const vit::LayerTokens& at) const {
  return at.tokens - options_.r.merged(at);
}

vit::PositionRule Reducer::position_rule() const {
  switch (options_.rotary) {
    case RotaryRule::keep:
      return vit::PositionRule::keep;
    case RotaryRule::mean_of_angles:
      return vit::PositionRule::mean_of_angles;
    case RotaryRule::mean:
    case RotaryRule::rotated_metric:
      break;
  }
  return vit::PositionRule::mean;
}

void Reducer::group(const vit::GroupRequest& request, vit::Groups& groups) const {
  const vit::LayerTokens& at = request.at;
  groups.count = options_.r.merged(at);
  groups.rows = at.tokens - groups.count;
  if (groups.count == 0) {  // a smaller one among others: as alone, where nobody asks
    std::iota(groups.keep, groups.keep + groups.rows, 0);
    return;
  }
  // Padding does not change a similarity.
  cpu::match(request.metric.data, at.tokens, request.metric.stride, groups.count, at.prefix_tokens,
             groups.keep, groups.removed, groups.into);
}

vit::BatchGroups Reducer::group_batch(const vit::BatchRequest& request) const {
  if (!request.counts.empty()) return TokenReducer::group_batch(request);
  const auto matching = bipartite_soft_matching(request.metric, options_.r.merged(request.at),
                                                request.at.prefix_tokens);
  return {
      .keep = matching.keep, .removed = matching.removed, .into = matching.into, .complete = true};
}

std::shared_ptr<const vit::TokenReducer> make_reducer(const Options& options) {
  return options.r.empty() ? nullptr : std::make_shared<const Reducer>(options);
}

}  // namespace tome
