#include <utility>

#include <ATen/ATen.h>

#include <vit/forward.h>

namespace vit {
namespace {

/// Row and column of every patch of each frame [1, N, 2], 0 for prefix tokens.
at::Tensor patch_positions(Extent grid, int64_t prefix_tokens) {
  const auto rows = at::arange(grid.rows, at::kFloat), columns = at::arange(grid.cols, at::kFloat);
  const auto patches = at::stack(at::meshgrid({rows, columns}, "ij"), -1)
                           .view({1, -1, 2})
                           .repeat({1, grid.frames, 1});
  return at::cat({at::zeros({1, prefix_tokens, 2}), patches}, 1);
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
  state.class_token = config.prefix.cls_tokens;
  state.depth = config.depth;
  const int64_t batch = state.tokens.size(0);
  if (options.track_source) {
    const int64_t tokens = state.tokens.size(1);
    state.source =
        at::eye(tokens, state.tokens.options().dtype(at::kFloat)).expand({batch, tokens, tokens});
  }
  if (options.track_positions || config.block.attention.rotary)
    state.positions = patch_positions(state.grid, state.prefix_tokens)
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
  result.source = state.source;
  if (options.track_positions) result.positions = state.positions;
  return result;
}

}  // namespace vit
