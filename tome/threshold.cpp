#include <numeric>

#include <ATen/ATen.h>

#include <tome/kernels.h>
#include <tome/matching.h>
#include <tome/per_layer.h>
#include <tome/threshold.h>
#include <vit/error.h>

namespace tome {

ThresholdReducer::ThresholdReducer(ThresholdOptions options) : options_(std::move(options)) {
  if (options_.tau.empty()) vit::fail("threshold: tau is an empty list, expected at least one");
  for (const double tau : options_.tau)
    if (!(tau >= -1.0 && tau <= 1.0)) vit::fail("threshold: tau is ", tau, ", expected -1 to 1");
}

std::optional<vit::ReducerNeeds> ThresholdReducer::needs(const vit::LayerTokens& at) const {
  if (at.tokens - at.prefix_tokens < 2 || value_of(options_.tau, at.layer) == 1.0)
    return std::nullopt;
  return vit::ReducerNeeds{.key_metric = true};
}

std::optional<int64_t> ThresholdReducer::tokens_after(const vit::LayerTokens& at) const {
  return needs(at) ? std::nullopt : std::optional<int64_t>(at.tokens);
}

void ThresholdReducer::group(const vit::GroupRequest& request, vit::Groups& groups) const {
  const vit::LayerTokens& at = request.at;
  groups.count = cpu::match_above(request.metric.data, at.tokens, request.metric.stride,
                                  value_of(options_.tau, at.layer), at.prefix_tokens, groups.keep,
                                  groups.removed, groups.into);
  groups.rows = at.tokens - groups.count;
}

vit::BatchGroups ThresholdReducer::group_batch(const vit::BatchRequest& request) const {
  auto exact = TokenReducer::group_batch(request);
  if (!options_.shared || request.batch == 0 || exact.counts.empty()) return exact;
  const int64_t rows = std::accumulate(exact.counts.begin(), exact.counts.end(), int64_t{0});
  const int64_t r = (request.batch * request.at.tokens - rows) / request.batch;
  const auto matching = bipartite_soft_matching(request.metric, r, request.at.prefix_tokens);
  return {
      .keep = matching.keep, .removed = matching.removed, .into = matching.into, .complete = true};
}

}  // namespace tome
