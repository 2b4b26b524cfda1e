#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/training/branch.h>

namespace vit::training {

/// x + gamma proj(attention(norm(x))).
struct AttentionData {
  BranchData branch;
  int64_t heads;
  const float* qkv_weight;  ///< [3 dim, dim]
  const float* qkv_bias;
  const float* proj_weight;  ///< [dim, dim]
  const float* proj_bias;
  const float*
      key_bias;  ///< [samples, tokens padded to simd::kPad] in units of log2; null for none

  int64_t head_dim() const { return branch.dim / heads; }
};

/// What the backward pass needs of the forward pass.
template <typename T>
struct SavedAttention {
  T* heads;     ///< [3, heads, rows, head_dim] queries, keys and values
  T* attended;  ///< [rows, dim]
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
