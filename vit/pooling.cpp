#include <optional>

#include <ATen/ATen.h>

#include <vit/pooling.h>

namespace vit {

at::Tensor pool_average(const at::Tensor& features, const at::Tensor& size, int64_t prefix_tokens) {
  const auto patches = features.slice(1, prefix_tokens);
  if (!size.defined()) return patches.mean(1);
  const auto weight = size.slice(1, prefix_tokens);
  const auto weights = (weight / weight.sum(1, /*keepdim=*/true)).to(features.scalar_type());
  return at::matmul(weights.unsqueeze(1), patches).squeeze(1);
}

AttentionPoolImpl::AttentionPoolImpl(const BlockConfig& block, const AttentionPoolConfig& config)
    : num_heads_(config.num_heads ? config.num_heads : block.attention.num_heads),
      latent_(register_parameter("latent", torch::empty({1, 1, block.dim}))) {
  const int64_t dim = block.dim;
  const bool raw = config.kind == AttentionPoolKind::raw_query;
  if (!raw) q_ = register_module("q", Linear(dim, dim));
  kv_ = register_module("kv", Linear(dim, 2 * dim, !raw || block.attention.has_qkv_bias()));
  proj_ = register_module("proj", Linear(dim, dim));
  if (raw) return;
  MlpConfig mlp;
  mlp.hidden_dim = config.hidden_dim ? config.hidden_dim : block.mlp.hidden_dim;
  if (block.mlp.kind == MlpKind::plain) mlp.activation = block.mlp.activation;
  norm_ = register_module("norm", Norm(dim, block.norm));
  mlp_ = register_module("mlp", Mlp(dim, mlp, block.norm));
}

at::Tensor AttentionPoolImpl::forward(const at::Tensor& features,
                                      const at::Tensor& key_bias) const {
  const int64_t batch = features.size(0), tokens = features.size(1), dim = features.size(2);
  const int64_t head_dim = dim / num_heads_;
  const auto q = (q_ ? q_->forward(latent_) : latent_)
                     .view({1, 1, num_heads_, head_dim})
                     .transpose(1, 2)
                     .expand({batch, -1, -1, -1});
  const auto kv = kv_->forward(features).view({batch, tokens, 2, num_heads_, head_dim});
  std::optional<at::Tensor> mask;
  if (key_bias.defined()) mask = key_bias.to(q.scalar_type()).view({batch, 1, 1, tokens});
  const auto attended = at::scaled_dot_product_attention(q, kv.select(2, 0).transpose(1, 2),
                                                         kv.select(2, 1).transpose(1, 2), mask);
  const auto x = proj_->forward(attended.transpose(1, 2).reshape({batch, dim}));
  return mlp_ ? x + mlp_->forward(norm_->forward(x)) : x;
}

}  // namespace vit
