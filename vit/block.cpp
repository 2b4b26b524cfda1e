#include <ATen/ATen.h>

#include <vit/block.h>
#include <vit/merging/check_groups.h>
#include <vit/merging/reduce.h>
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
  const auto needs = merging::checked_needs(reducer, state.layer_tokens(), state.class_token);
  const auto attended =
      attend(state, merging::key_bias(state, reducer), needs.value_or(ReducerNeeds()));
  if (needs) merging::reduce(*reducer, *needs, attended.metric, attended.class_attention, state);
  mix(state);
}

AttentionResult BlockImpl::attend(TokenState& state, const at::Tensor& key_bias,
                                  const ReducerNeeds& needs) const {
  const auto factors = path_factors(state);
  // The fused branch has no gradient for sizes, which few reducers compute with one.
  const bool learns_sizes = key_bias.defined() && key_bias.requires_grad();
  const auto dtype = training::fused_dtype(config_, state.tokens, parameters());
  if (dtype && !learns_sizes && !needs.class_attention) {
    const auto result = training::attention_branch(
        config_, branch_parameters(norm1_, attn_->qkv(), attn_->proj(), ls1_),
        {state.tokens, key_bias, factors, needs.key_metric}, *dtype);
    state.tokens = result.tokens;
    return {result.tokens, result.metric, {}};
  }
  const auto result = attn_->forward(norm1_->forward(state.tokens), key_bias, needs);
  state.tokens = add_residual(state.tokens, scaled(result.tokens, ls1_, factors));
  return result;
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
