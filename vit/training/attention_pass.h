#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/training/branch.h>

namespace vit::training {

/// By how much queries and keys are rotated, in the backward pass their gradients: a table of
/// samples, heads and tokens, each token's as simd::Rotation has it.
struct RotationData {
  const float* table = nullptr;  ///< null: they are not
  int64_t sample_step = 0;       ///< numbers from one sample to the next; 0 where all are alike
  int64_t head_step = 0;         ///< likewise
  int64_t token_step = 0;
  int64_t padded = 0;
  int64_t angles = 0;
  simd::RotatedPairs pairs = {};

  explicit operator bool() const { return table; }
};

/// x + gamma proj(norm?(attention(norm(x)))).
struct AttentionData {
  BranchData branch;
  int64_t heads;
  int64_t kv_heads;         ///< of keys and values, each for heads / kv_heads heads of queries
  const float* qkv_weight;  ///< [columns(), dim]
  const float* qkv_bias;
  const float* proj_weight;  ///< [dim, dim]
  const float* proj_bias;
  const float*
      key_bias;  ///< [samples, tokens padded to simd::kPad] in units of log2; null for none
  NormData q_norm, k_norm;  ///< of the rows of every head, before they are rotated
  NormData inner_norm;      ///< before proj
  RotationData rotation;

  int64_t head_dim() const { return branch.dim / heads; }
  /// Heads of q and k together.
  int64_t compared() const { return heads + kv_heads; }
  /// Heads of q, k and v.
  int64_t projected() const { return heads + 2 * kv_heads; }
  int64_t columns() const { return projected() * head_dim(); }
};

/// What the backward pass needs of the forward pass.
template <typename T>
struct SavedAttention {
  T* heads;     ///< [projected(), rows, head_dim] queries, keys and values as attention takes them
  T* unnormed;  ///< [compared(), rows, head_dim] queries and keys before their norms; null without
  T* attended;  ///< [rows, dim] before inner_norm
};

/// Writes the new tokens to `out` and, unless it is null, the mean of the keys over the heads to
/// `metric` [rows, head_dim].
template <typename T>
void attention_forward(const AttentionData& data, const SavedAttention<T>& saved, float* out,
                       float* metric);

/// `gradient` is that of the new tokens. The gradients of weights are left out where they are not
/// wanted.
template <typename T>
BranchGradients attention_backward(const AttentionData& data, const SavedAttention<T>& saved,
                                   const float* gradient, bool wants_qkv, bool wants_proj);

}  // namespace vit::training
