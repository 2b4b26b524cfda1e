#include <vit/forward.h>

#include <utility>

#include <ATen/ATen.h>

namespace vit {

ForwardResult forward_pass(const VitConfig& config, const Embedding& embedding, const Head& head,
                           const at::Tensor& input, ForwardOptions options,
                           const std::function<void(TokenState&)>& run_blocks) {
  TokenState state;
  state.tokens = embedding.forward(config, input);
  state.prefix_tokens = config.num_prefix_tokens();
  state.depth = config.depth;
  const int64_t batch = state.tokens.size(0);
  if (options.track_source) {
    const int64_t tokens = state.tokens.size(1);
    state.source =
        at::eye(tokens, state.tokens.options().dtype(at::kFloat)).expand({batch, tokens, tokens});
  }
  run_blocks(state);

  auto read = head.forward(config, state.tokens, state.size);
  ForwardResult result;
  result.features = std::move(read.features);
  result.pooled = std::move(read.pooled);
  result.logits = std::move(read.logits);
  result.size = state.size.defined()
                    ? state.size
                    : at::ones({batch, state.tokens.size(1)},
                               state.tokens.options().dtype(at::kFloat).requires_grad(false));
  result.source = state.source;
  return result;
}

}  // namespace vit
