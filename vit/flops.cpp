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
  int64_t layer = 0;
  for (const int64_t after : tokens_per_layer(config, reducer)) {
    // Products with q, k, v and proj; attention.
    const AttentionConfig attention = config.block_at(layer++).attention;
    const double key_share =
        static_cast<double>(attention.kv_heads()) / static_cast<double>(attention.num_heads);
    total += before * (2 + 2 * key_share) * dim * dim + 2 * before * before * dim;
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
