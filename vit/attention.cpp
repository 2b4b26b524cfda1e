#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <vit/attention.h>

namespace vit {
namespace {

/// softmax(q k^T / sqrt(d) + mask) v, of [B, heads, N, d].
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const std::optional<at::Tensor>& mask) {
  const bool trains =
      c10::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
  if (!trains || !q.device().is_cpu()) return at::scaled_dot_product_attention(q, k, v, mask);
  // On the CPU the backward pass of the fused operator takes longer than all of the plain one.
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  auto scores = at::matmul(q * scale, k.mT());
  if (mask) scores = scores + *mask;
  return at::matmul(scores.softmax(-1), v);
}

/// What the first token looks at [B, N], mean over the heads, in float32.
at::Tensor first_attention(const at::Tensor& q, const at::Tensor& k,
                           const std::optional<at::Tensor>& mask) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  const auto first = q.slice(2, 0, 1).to(at::kFloat) * scale;
  auto scores = at::matmul(first, k.to(at::kFloat).mT());
  if (mask) scores = scores + *mask;
  return scores.softmax(-1, at::kFloat).mean(1).squeeze(1);
}

}  // namespace

AttentionImpl::AttentionImpl(int64_t dim, const AttentionConfig& config, const NormConfig& norm)
    : num_heads_(config.num_heads),
      qkv_(register_module("qkv", Linear(dim, 3 * dim, config.has_qkv_bias()))) {
  if (config.qk_norm) {
    q_norm_ = register_module("q_norm", Norm(dim / config.num_heads, norm));
    k_norm_ = register_module("k_norm", Norm(dim / config.num_heads, norm));
  }
  proj_ = register_module("proj", Linear(dim, dim));
}

AttentionResult AttentionImpl::forward(const at::Tensor& x, const at::Tensor& key_bias,
                                       const RotaryAngles* rotary,
                                       const ReducerNeeds& needs) const {
  const int64_t batch = x.size(0), tokens = x.size(1), dim = x.size(2);
  const auto qkv = qkv_->forward(x).view({batch, tokens, 3, num_heads_, dim / num_heads_});
  auto q = qkv.select(2, 0).transpose(1, 2);
  auto k = qkv.select(2, 1).transpose(1, 2);
  const auto v = qkv.select(2, 2).transpose(1, 2);
  if (q_norm_) {
    q = q_norm_->forward(q);
    k = k_norm_->forward(k);
  }
  AttentionResult result;
  if (needs.key_metric) result.metric = k.mean(1);
  if (rotary) {
    q = rotate(q, *rotary);
    k = rotate(k, *rotary);
  }
  std::optional<at::Tensor> mask;
  if (key_bias.defined()) mask = key_bias.to(q.scalar_type()).view({batch, 1, 1, tokens});

  const auto attended = attend(q, k, v, mask);
  result.tokens = proj_->forward(attended.transpose(1, 2).reshape({batch, tokens, dim}));
  if (needs.class_attention) result.class_attention = first_attention(q, k, mask);
  return result;
}

}  // namespace vit
