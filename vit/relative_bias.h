#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <vit/layers.h>
#include <vit/relative_bias_config.h>
#include <vit/token_reducer.h>

namespace vit {

/// The parameters of a relative position bias, and the bias they give. They are registered with the
/// module that owns them: a block's attention, or the model where all blocks share one.
struct RelativeBias {
  at::Tensor table;     ///< [entries, heads]; undefined for an MLP
  Linear fc1{nullptr};  ///< 2 -> hidden_dim; null for a table
  Linear fc2{nullptr};  ///< hidden_dim -> heads

  /// For `heads` heads, registered with `owner` as "relative_position_bias_table", or as "mlp".
  static RelativeBias in(torch::nn::Module& owner, const RelativeBiasConfig& config, int64_t heads);

  /// [heads, tokens, tokens] float32: what is added to the logit of a query (row) and a key.
  at::Tensor of_patches(const RelativeBiasConfig& config) const;
};

/// Of what stands in each token of `state`, by TokenState::source, the share that each patch has:
/// [B, N, N0], rows of zeros for padding.
at::Tensor patch_shares(const TokenState& state);

/// The bias of patches [heads, N0, N0] -> that of the tokens of `state`, [1 or B, heads, N, N]: the
/// mean over all pairs of patches of two tokens, which TokenState::source tells.
at::Tensor relative_bias_of_tokens(const at::Tensor& of_patches, const TokenState& state);

}  // namespace vit
