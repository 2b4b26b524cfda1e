#include <ATen/ATen.h>

#include <vit/block.h>

namespace vit {

BlockImpl::BlockImpl(const VitConfig& config) {
  norm1_ = register_module("norm1", LayerNorm(config.embed_dim, config.norm_eps));
  attn_ = register_module("attn", Attention(config));
  norm2_ = register_module("norm2", LayerNorm(config.embed_dim, config.norm_eps));
  mlp_ = register_module("mlp", Mlp(config));
  if (config.layer_scale) {
    ls1_ = register_module("ls1", LayerScale(config.embed_dim));
    ls2_ = register_module("ls2", LayerScale(config.embed_dim));
  }
}

void BlockImpl::forward(TokenState& state, const TokenReducer* reducer) const {
  const int64_t tokens = state.tokens.size(1);
  const bool reduces = reducer && reducer->tokens_after(state.layer, state.depth, tokens,
                                                        state.prefix_tokens) < tokens;
  at::Tensor key_bias;
  if (reducer && reducer->proportional_attention() && state.size.defined())
    key_bias = state.size.log();

  const auto [attended, metric] = attn_->forward(norm1_->forward(state.tokens), key_bias, reduces);
  state.tokens = add_residual(state.tokens, scaled(attended, ls1_));

  if (reduces) reducer->reduce(state, metric);

  const auto mixed = mlp_->forward(norm2_->forward(state.tokens));
  state.tokens = add_residual(state.tokens, scaled(mixed, ls2_));
}

at::Tensor BlockImpl::scaled(at::Tensor branch, const LayerScale& scale) const {
  if (scale) branch = scale->forward(branch);
  return drops_paths() ? drop_path(branch, drop_path_) : branch;
}

}  // namespace vit
