#include <array>
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
  if (mask) scores = scores + mask->slice(2, 0, 1);
  return scores.softmax(-1, at::kFloat).mean(1).squeeze(1);
}

/// What is added to the logits, [1 or B, 1 or heads, 1 or N, N].
std::optional<at::Tensor> logit_bias(const AttentionPositions& positions, at::ScalarType dtype) {
  const auto& [keys, relative, rotary] = positions;
  if (!keys.defined() && !relative.defined()) return std::nullopt;
  const auto by_key = keys.defined() ? keys.unsqueeze(1).unsqueeze(1) : keys;
  if (!relative.defined()) return by_key.to(dtype);
  return (by_key.defined() ? relative + by_key : relative).to(dtype);
}

}  // namespace

AttentionImpl::AttentionImpl(int64_t dim, const AttentionConfig& config, const NormConfig& norm)
    : config_(config) {
  const int64_t heads = config.num_heads, head_dim = dim / heads;
  const int64_t rows = (heads + 2 * config.kv_heads()) * head_dim;
  qkv_ = register_module("qkv", Linear(dim, rows, config.has_qkv_bias()));
  if (config.qk_norm) {
    q_norm_ = register_module("q_norm", Norm(head_dim, norm));
    k_norm_ = register_module("k_norm", Norm(head_dim, norm));
  }
  if (config.rotary && config.rotary->frequencies == RotaryFrequencies::learned)
    rotary_weights_.freqs =
        register_parameter("freqs", torch::empty({2, heads, config.rotary->angles(head_dim)}));
  if (config.rotary && config.rotary->class_angles)
    rotary_weights_.class_angles =
        register_parameter("class_angles", torch::empty({config.rotary->angles(head_dim)}));
  if (const auto& relative = config.relative_bias; relative && !relative->shared)
    relative_bias_ =
        RelativeBias::in(relative->kind == RelativeBiasKind::table
                             ? *this
                             : *register_module("rel_pos", std::make_shared<torch::nn::Module>()),
                         *relative, heads);
  if (config.norm) norm_ = register_module("norm", Norm(dim, norm));
  proj_ = register_module("proj", Linear(dim, dim, config.proj_bias));
}

at::Tensor AttentionImpl::qkv_bias() const {
  const bool whole = config_.q_bias && config_.k_bias && config_.v_bias;
  if (whole || !qkv_->bias.defined() || !qkv_->bias.requires_grad() || !c10::GradMode::is_enabled())
    return qkv_->bias;
  // A part that is not there stays 0 whatever is learned.
  const int64_t head_dim = qkv_->bias.size(0) / (config_.num_heads + 2 * config_.kv_heads());
  auto parts = qkv_->bias.split_with_sizes(
      {config_.num_heads * head_dim, config_.kv_heads() * head_dim, config_.kv_heads() * head_dim});
  const std::array<bool, 3> there{config_.q_bias, config_.k_bias, config_.v_bias};
  for (std::size_t i = 0; i < there.size(); ++i)
    if (!there[i]) parts[i] = at::zeros_like(parts[i]);
  return at::cat(parts);
}

AttentionResult AttentionImpl::forward(const at::Tensor& x, const AttentionPositions& positions,
                                       const ReducerNeeds& needs) const {
  const int64_t batch = x.size(0), tokens = x.size(1), dim = x.size(2);
  const int64_t heads = config_.num_heads, kv_heads = config_.kv_heads();
  const auto by_head = at::linear(x, qkv_->weight, qkv_bias())
                           .view({batch, tokens, heads + 2 * kv_heads, dim / heads})
                           .transpose(1, 2)
                           .split_with_sizes({heads, kv_heads, kv_heads}, 1);
  auto q = by_head[0], k = by_head[1], v = by_head[2];
  if (q_norm_) {
    q = q_norm_->forward(q);
    k = k_norm_->forward(k);
  }
  AttentionResult result;
  if (needs.key_metric && !needs.rotated) result.metric = k.mean(1);
  // Before they are rotated: heads of queries that share keys may have angles of their own.
  if (kv_heads != heads) {
    k = k.repeat_interleave(heads / kv_heads, 1);
    v = v.repeat_interleave(heads / kv_heads, 1);
  }
  if (positions.rotary) {
    q = rotate(q, *positions.rotary);
    k = rotate(k, *positions.rotary);
  }
  if (needs.key_metric && needs.rotated) result.metric = k.mean(1);
  const auto mask = logit_bias(positions, q.scalar_type());

  const auto attended = attend(q, k, v, mask).transpose(1, 2).reshape({batch, tokens, dim});
  result.tokens = proj_->forward(norm_ ? norm_->forward(attended) : attended);
  if (needs.class_attention) result.class_attention = first_attention(q, k, mask);
  return result;
}

}  // namespace vit
