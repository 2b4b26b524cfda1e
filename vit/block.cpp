#include <ATen/ATen.h>

#include <vit/block.h>
#include <vit/kernels/block_weights.h>
#include <vit/kernels/kernel_block.h>
#include <vit/merging/check_groups.h>
#include <vit/merging/reduce.h>
#include <vit/training/fused_branches.h>

namespace vit {
namespace {

kernels::NormWeights weights_of(const Norm& norm) {
  return norm ? kernels::NormWeights{norm->weight, norm->bias} : kernels::NormWeights{};
}

kernels::LinearWeights weights_of(const Linear& linear) { return {linear->weight, linear->bias}; }

at::Tensor weights_of(const LayerScale& scale) { return scale ? scale->gamma : at::Tensor(); }

}  // namespace

/// What the fused branches of training need to know.
struct BlockImpl::Fused {
  kernels::KernelBlock block;
  kernels::BlockWeights weights;
  at::ScalarType dtype;
};

BlockImpl::BlockImpl(const BlockConfig& config) : config_(config) {
  const int64_t dim = config.dim;
  norm1_ = register_module("norm1", Norm(dim, config.norm));
  attn_ = register_module("attn", Attention(dim, config.attention, config.norm));
  norm2_ = register_module("norm2", Norm(dim, config.norm));
  mlp_ = register_module("mlp", Mlp(dim, config.mlp, config.norm));
  if (config.layer_scale) {
    ls1_ = register_module("ls1", LayerScale(dim));
    if (config.mlp_layer_scale) ls2_ = register_module("ls2", LayerScale(dim));
  }
}

kernels::BlockWeights BlockImpl::weights(const at::Tensor& shared_bias) const {
  return {weights_of(norm1_),
          weights_of(norm2_),
          weights_of(attn_->q_norm()),
          weights_of(attn_->k_norm()),
          {attn_->qkv()->weight, attn_->qkv_bias()},
          weights_of(attn_->proj()),
          weights_of(mlp_->fc1()),
          weights_of(mlp_->fc2()),
          weights_of(ls1_),
          weights_of(ls2_),
          weights_of(attn_->norm()),
          weights_of(mlp_->norm()),
          attn_->rotary_weights().freqs,
          attn_->rotary_weights().class_angles,
          shared_bias.defined() ? shared_bias : relative_bias()};
}

void BlockImpl::forward(TokenState& state, const TokenReducer* reducer) const {
  const auto needs = merging::checked_needs(reducer, state.layer_tokens(), state.class_token);
  const auto key_bias = merging::key_bias(state, reducer);

  std::optional<Fused> fused;
  if (const auto block = kernels::lower(config_); block && training::trains(*block)) {
    auto weights = this->weights();
    if (const auto dtype = training::fused_dtype(*block, state.tokens, weights))
      fused = Fused{*block, std::move(weights), *dtype};
  }
  const Fused* const branches = fused ? &*fused : nullptr;
  // The fused branch has no gradient for sizes, which few reducers compute with one, and gives no
  // attention away, nor rotated keys.
  const bool learns_sizes = key_bias.defined() && key_bias.requires_grad();
  const bool as_operators = learns_sizes || (needs && (needs->class_attention || needs->rotated));
  const auto attended = attend(state, as_operators ? nullptr : branches, reducer, key_bias,
                               needs.value_or(ReducerNeeds()));
  if (needs) merging::reduce(*reducer, *needs, attended.metric, attended.class_attention, state);
  mix(state, branches);
}

template <typename F>
at::Tensor BlockImpl::with_branch(const at::Tensor& x, const Norm& norm, const LayerScale& scale,
                                  const F& branch) const {
  const auto factors = path_factors(x);
  const auto sum = [&](at::Tensor y) {
    if (scale) y = scale->forward(y);
    if (factors.defined()) y = y * factors.to(y.options()).view({-1, 1, 1});
    return add_residual(x, y);
  };
  switch (config_.norm_place) {
    case NormPlace::pre:
      return sum(branch(norm->forward(x)));
    case NormPlace::post:
      return norm->forward(sum(branch(x)));
    case NormPlace::res_post:
      return sum(norm->forward(branch(x)));
  }
  TORCH_CHECK(false, "Block: unknown place of norms ", static_cast<int>(config_.norm_place));
}

at::Tensor BlockImpl::relative_bias() const {
  const auto& config = config_.attention.relative_bias;
  if (!config) return {};
  return (config->shared ? shared_bias_ : attn_->relative_bias()).of_patches(*config);
}

std::optional<RotaryAngles> BlockImpl::rotary_angles(const TokenState& state,
                                                     const TokenReducer* reducer) const {
  const auto& rotary = config_.attention.rotary;
  if (!rotary) return std::nullopt;
  const auto at = [&](const at::Tensor& positions) {
    return vit::rotary_angles(*rotary, config_.head_dim(), state.grid, positions,
                              state.prefix_tokens, attn_->rotary_weights());
  };
  const bool of_patches = reducer && reducer->position_rule() == PositionRule::mean_of_angles;
  // As long as all samples have the same positions, one of them stands for all.
  const bool alike = state.positions.stride(0) == 0;
  if (!of_patches || !state.size.defined())
    return at(alike ? state.positions.slice(0, 0, 1) : state.positions);
  auto angles = at(
      patch_positions(state.grid, state.prefix_tokens, rotary->axes).to(state.positions.options()));
  const auto shares = patch_shares(state).unsqueeze(1);
  for (auto* table : {&angles.sin, &angles.cos}) *table = at::matmul(shares, *table);
  return angles;
}

AttentionResult BlockImpl::attend(TokenState& state, const Fused* fused,
                                  const TokenReducer* reducer, const at::Tensor& key_bias,
                                  const ReducerNeeds& needs) const {
  const auto rotary = rotary_angles(state, reducer);
  if (fused && !(rotary && !training::turns_fused(fused->block, *rotary))) {
    const auto result =
        training::attention_branch(fused->block, fused->weights,
                                   {state.tokens, key_bias, path_factors(state.tokens),
                                    needs.key_metric, rotary ? &*rotary : nullptr},
                                   fused->dtype);
    state.tokens = result.tokens;
    return {result.tokens, result.metric, {}};
  }
  AttentionPositions positions{key_bias, {}, rotary ? &*rotary : nullptr};
  if (config_.attention.relative_bias)
    positions.relative_bias = relative_bias_of_tokens(relative_bias(), state);
  AttentionResult result;
  state.tokens = with_branch(state.tokens, norm1_, ls1_, [&](const at::Tensor& x) {
    result = attn_->forward(x, positions, needs);
    return result.tokens;
  });
  return result;
}

void BlockImpl::mix(TokenState& state, const Fused* fused) const {
  if (fused)
    state.tokens = training::mlp_branch(fused->block, fused->weights, state.tokens,
                                        path_factors(state.tokens), fused->dtype);
  else
    state.tokens = with_branch(state.tokens, norm2_, ls2_,
                               [&](const at::Tensor& x) { return mlp_->forward(x); });
}

at::Tensor BlockImpl::path_factors(const at::Tensor& tokens) const {
  return drops_paths() ? draw_path_factors(tokens.size(0), drop_path_) : at::Tensor();
}

}  // namespace vit
