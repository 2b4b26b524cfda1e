#include <ATen/ATen.h>

#include <vit/block.h>
#include <vit/training/fused_branches.h>

namespace vit {
namespace {

/// What is added to the tokens: `branch`, with layer scale and stochastic depth where they are
/// defined.
at::Tensor scaled(at::Tensor branch, const LayerScale& scale, const at::Tensor& path_factors) {
  if (scale) branch = scale->forward(branch);
  if (!path_factors.defined()) return branch;
  return branch * path_factors.to(branch.options()).view({-1, 1, 1});
}

training::BranchParameters branch_parameters(const LayerNorm& norm, const Linear& first,
                                             const Linear& last, const LayerScale& scale) {
  return {norm->weight,
          norm->bias,
          first->weight,
          first->bias,
          last->weight,
          last->bias,
          scale ? scale->gamma : at::Tensor()};
}

}  // namespace

BlockImpl::BlockImpl(const VitConfig& config) : config_(config) {
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

  const auto metric = attend(state, key_bias, reduces);
  if (reduces) reducer->reduce(state, metric);
  mix(state);
}

at::Tensor BlockImpl::attend(TokenState& state, const at::Tensor& key_bias,
                             bool with_metric) const {
  const auto factors = path_factors(state);
  // The fused branch has no gradient for sizes, which few reducers compute with one.
  const bool learns_sizes = key_bias.defined() && key_bias.requires_grad();
  const auto dtype = training::fused_dtype(config_, state.tokens, parameters());
  if (dtype && !learns_sizes) {
    const auto result = training::attention_branch(
        config_, branch_parameters(norm1_, attn_->qkv(), attn_->proj(), ls1_),
        {state.tokens, key_bias, factors, with_metric}, *dtype);
    state.tokens = result.tokens;
    return result.metric;
  }
  const auto result = attn_->forward(norm1_->forward(state.tokens), key_bias, with_metric);
  state.tokens = add_residual(state.tokens, scaled(result.tokens, ls1_, factors));
  return result.metric;
}

void BlockImpl::mix(TokenState& state) const {
  const auto factors = path_factors(state);
  if (const auto dtype = training::fused_dtype(config_, state.tokens, parameters())) {
    state.tokens =
        training::mlp_branch(config_, branch_parameters(norm2_, mlp_->fc1(), mlp_->fc2(), ls2_),
                             state.tokens, factors, *dtype);
    return;
  }
  const auto mixed = mlp_->forward(norm2_->forward(state.tokens));
  state.tokens = add_residual(state.tokens, scaled(mixed, ls2_, factors));
}

at::Tensor BlockImpl::path_factors(const TokenState& state) const {
  return drops_paths() ? draw_path_factors(state.tokens.size(0), drop_path_) : at::Tensor();
}

}  // namespace vit
