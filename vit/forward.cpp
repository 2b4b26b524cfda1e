#include <utility>

#include <ATen/ATen.h>

#include <vit/forward.h>
#include <vit/rotary.h>

namespace vit {
namespace {

/// Whether the blocks must know which patches each token stands for.
bool needs_source(const VitConfig& config, const TokenReducer* reducer) {
  if (!reducer) return false;
  const AttentionConfig& attention = config.block.attention;
  return attention.relative_bias ||
         (attention.rotary && reducer->position_rule() == PositionRule::mean_of_angles);
}

}  // namespace

ForwardResult forward_pass(const VitConfig& config, const Embedding& embedding, const Head& head,
                           const at::Tensor& input, ForwardOptions options,
                           const TokenReducer* reducer,
                           const std::function<void(TokenState&)>& run_blocks) {
  TokenState state;
  state.tokens = embedding.forward(config, input);
  state.grid = config.grid();
  state.prefix_tokens = config.num_prefix_tokens();
  state.class_token = config.prefix.cls_tokens > 0;
  state.depth = config.depth;
  const int64_t batch = state.tokens.size(0);
  if (options.track_source || needs_source(config, reducer)) {
    const int64_t tokens = state.tokens.size(1);
    state.source =
        at::eye(tokens, state.tokens.options().dtype(at::kFloat)).expand({batch, tokens, tokens});
  }
  const auto& rotary = config.block.attention.rotary;
  if (options.track_positions || rotary)
    state.positions = patch_positions(state.grid, state.prefix_tokens, rotary ? rotary->axes : 2)
                          .to(state.tokens.device())
                          .expand({batch, -1, -1});
  run_blocks(state);

  auto read = head.forward(config, state, reducer);
  ForwardResult result;
  result.features = std::move(read.features);
  result.pooled = std::move(read.pooled);
  result.logits = std::move(read.logits);
  result.size = state.size.defined()
                    ? state.size
                    : at::ones({batch, state.tokens.size(1)},
                               state.tokens.options().dtype(at::kFloat).requires_grad(false));
  if (options.track_source) result.source = state.source;
  if (options.track_positions) result.positions = state.positions;
  if (options.track_positions && rotary)
    result.coords =
        rotary_coordinates(*rotary, state.grid, state.positions.slice(1, state.prefix_tokens));
  return result;
}

}  // namespace vit
