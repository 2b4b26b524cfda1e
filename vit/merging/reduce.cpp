#include <vector>

#include <ATen/ATen.h>

#include <vit/merging/apply_groups.h>
#include <vit/merging/reduce.h>

namespace vit::merging {

void reduce(const TokenReducer& reducer, const ReducerNeeds& needs, const at::Tensor& metric,
            const at::Tensor& class_attention, TokenState& state) {
  BatchRequest request;
  request.at = state.layer_tokens();
  request.batch = state.tokens.size(0);
  request.device = state.tokens.device();
  request.counts = state.counts;
  request.metric = metric;
  request.class_attention = class_attention;
  if (needs.tokens) request.tokens = state.tokens;
  request.sizes = state.size;
  apply_groups(reducer, reducer.group_batch(request), state);
}

at::Tensor key_bias(const TokenState& state, const TokenReducer* reducer) {
  if (!state.size.defined()) return {};
  if (reducer && reducer->proportional_attention()) return state.size.log();  // -inf for padding
  const auto mask = token_mask(state);
  return mask.defined() ? mask.log() : mask;
}

at::Tensor token_mask(const TokenState& state) {
  if (state.counts.empty()) return {};
  const auto options = state.tokens.options().dtype(at::kLong).requires_grad(false);
  const auto counts = at::tensor(state.counts, at::kLong).to(options.device());
  return at::arange(state.tokens.size(1), options).lt(counts.unsqueeze(1)).to(at::kFloat);
}

}  // namespace vit::merging
