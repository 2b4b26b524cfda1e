#include <tome/kernels.h>
#include <tome/matching.h>
#include <tome/merge.h>
#include <tome/reducer.h>

namespace tome {

int64_t Reducer::tokens_after(int64_t layer, int64_t depth, int64_t tokens,
                              int64_t prefix_tokens) const {
  return tokens - options_.r.merged(layer, depth, tokens, prefix_tokens);
}

void Reducer::reduce(vit::TokenState& state, const at::Tensor& metric) const {
  const int64_t r =
      options_.r.merged(state.layer, state.depth, state.tokens.size(1), state.prefix_tokens);
  const auto matching = bipartite_soft_matching(metric, r, state.prefix_tokens);
  if (state.source.defined()) state.source = merge_source(state.source, matching);
  std::tie(state.tokens, state.size) = merge_weighted(state.tokens, matching, state.size);
}

void Reducer::group(const vit::GroupRequest& request, const vit::TokenGroups& groups) const {
  const int64_t r =
      options_.r.merged(request.layer, request.depth, request.tokens, request.prefix_tokens);
  cpu::match(request.metric, request.tokens, request.dim, r, request.prefix_tokens, groups.keep,
             groups.removed, groups.into);
}

}  // namespace tome
