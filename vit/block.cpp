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

  auto [attended, metric] = attn_->forward(norm1_->forward(state.tokens), key_bias, reduces);
  if (ls1_) attended = ls1_->forward(attended);
  state.tokens = add_residual(state.tokens, attended);

  if (reduces) reducer->reduce(state, metric);

  auto mixed = mlp_->forward(norm2_->forward(state.tokens));
  if (ls2_) mixed = ls2_->forward(mixed);
  state.tokens = add_residual(state.tokens, mixed);
}

}  // namespace vit
