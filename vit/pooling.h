#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/config.h>
#include <vit/layers.h>
#include <vit/mlp.h>

namespace vit {

/// Mean over the tokens after the first `prefix_tokens`, each weighted by the patches it stands
/// for. `features` [B, N, D], `size` [B, N] or undefined for all ones -> [B, D].
at::Tensor pool_average(const at::Tensor& features, const at::Tensor& size, int64_t prefix_tokens);

/// Pools by attention of one learned query over all tokens, perhaps followed by an MLP (arXiv
/// 2303.15343, 2411.14402).
class AttentionPoolImpl : public torch::nn::Module {
 public:
  /// Behind blocks of this kind, from which it has what `config` leaves open.
  AttentionPoolImpl(const BlockConfig& block, const AttentionPoolConfig& config);

  /// [B, N, D] -> [B, D]. `key_bias` [B, N] is added to the attention logits; undefined for none.
  at::Tensor forward(const at::Tensor& features, const at::Tensor& key_bias) const;

 private:
  int64_t num_heads_;
  at::Tensor latent_;
  Linear kv_{nullptr};
  Linear proj_{nullptr};
  // Null for AttentionPoolKind::raw_query.
  Linear q_{nullptr};
  Norm norm_{nullptr};
  Mlp mlp_{nullptr};
};
TORCH_MODULE(AttentionPool);

}  // namespace vit
