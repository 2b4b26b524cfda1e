#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/layers.h>
#include <vit/pooling.h>
#include <vit/token_reducer.h>

namespace vit {

/// "head" for the first classifier, "head_dist" for the second.
const char* classifier_name(int64_t index);

/// What turns the tokens of the last block into logits. Its parts are a model's, under the names
/// that the model gives them; those that it has not are null.
struct Head {
  Norm norm{nullptr};
  AttentionPool attn_pool{nullptr};
  Norm fc_norm{nullptr};
  std::vector<Linear> classifiers;  ///< HeadConfig::token_heads of them, none without classes

  struct Result {
    at::Tensor features;  ///< [B, N, D] tokens after the norm that precedes the pooling
    at::Tensor pooled;    ///< [B, D] what the classifiers read; [B, N, D] without pooling
    at::Tensor logits;    ///< [B, classes]; [B, N, classes] without pooling
  };

  /// The tokens that have left the last block, and what merged them, or null.
  Result forward(const VitConfig& config, const TokenState& state,
                 const TokenReducer* reducer) const;

 private:
  /// `mask` [B, N] is 1 for tokens and 0 for padding, undefined without any.
  at::Tensor pool(const VitConfig& config, const at::Tensor& features, const at::Tensor& mask,
                  const at::Tensor& size) const;
};

}  // namespace vit
