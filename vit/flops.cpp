#include <optional>

#include <vit/flops.h>

namespace vit {

namespace {

LayerTokens first_tokens(const VitConfig& config) {
  return {0, config.depth, config.num_tokens(), config.num_prefix_tokens()};
}

/// nullopt where only a run of the model tells.
std::optional<int64_t> tokens_after(const LayerTokens& at, const TokenReducer* reducer) {
  if (!reducer || !reducer->needs(at)) return at.tokens;
  return reducer->tokens_after(at);
}

}  // namespace

std::vector<int64_t> tokens_per_layer(const LayerTokens& first, const TokenReducer* reducer) {
  std::vector<int64_t> result;
  for (LayerTokens at = first; at.layer < at.depth; ++at.layer) {
    at.tokens = tokens_after(at, reducer).value_or(at.tokens);
    result.push_back(at.tokens);
  }
  return result;
}

std::vector<int64_t> tokens_per_layer(const VitConfig& config, const TokenReducer* reducer) {
  return tokens_per_layer(first_tokens(config), reducer);
}

bool knows_tokens(const VitConfig& config, const TokenReducer* reducer) {
  for (LayerTokens at = first_tokens(config); at.layer < at.depth; ++at.layer) {
    const auto after = tokens_after(at, reducer);
    if (!after) return false;
    at.tokens = *after;
  }
  return true;
}

double gflops(const VitConfig& config, const TokenReducer* reducer) {
  const double dim = config.embed_dim(), hidden = config.block.mlp.hidden_dim;
  const double fc1_out = hidden * config.block.mlp.gates();
  const double mlp = dim * fc1_out + hidden * dim;

  double total = static_cast<double>(config.num_patches()) * config.input.channels *
                 config.patch.kernel.count() * dim;
  double before = config.num_tokens();
  for (const int64_t after : tokens_per_layer(config, reducer)) {
    total += before * 4 * dim * dim + 2 * before * before * dim;  // qkv and proj; attention
    total += after * mlp;
    before = after;
  }
  const HeadConfig& head = config.head;
  if (head.pooling == Pooling::map) total += before * 2 * dim * (dim + 1) + 2 * dim * dim + mlp;
  const double readings = head.pooling == Pooling::none ? before : head.token_heads;
  total += readings * config.pooled_dim() * head.num_classes;
  return total / 1e9;
}

}  // namespace vit
