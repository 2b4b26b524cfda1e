#include <vit/flops.h>

namespace vit {

std::vector<int64_t> tokens_per_layer(int64_t depth, int64_t tokens, int64_t prefix_tokens,
                                      const TokenReducer* reducer) {
  std::vector<int64_t> result;
  for (int64_t layer = 0; layer < depth; ++layer) {
    if (reducer) tokens = reducer->tokens_after(layer, depth, tokens, prefix_tokens);
    result.push_back(tokens);
  }
  return result;
}

std::vector<int64_t> tokens_per_layer(const VitConfig& config, const TokenReducer* reducer) {
  return tokens_per_layer(config.depth, config.num_tokens(), config.num_prefix_tokens(), reducer);
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
