#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include <vit/kernels/block_weights.h>
#include <vit/kernels/kernel_block.h>
#include <vit/rotary.h>

namespace vit::training {

/// Whether branches that compute gradients know blocks of these sizes and kinds: their rows are not
/// padded, and biases of pairs of tokens have no gradient.
bool trains(const kernels::KernelBlock& block);

/// What branches that compute gradients multiply and keep, float32 or bfloat16 (under autocast to
/// it); nothing where they do not fit: gradients that nobody wants, other devices and dtypes,
/// kinds of blocks they do not know, VITOME_KERNELS=reference.
std::optional<at::ScalarType> fused_dtype(const kernels::KernelBlock& block,
                                          const at::Tensor& tokens,
                                          const kernels::BlockWeights& weights);

struct AttentionInputs {
  at::Tensor tokens;        ///< [B, N, D]
  at::Tensor key_bias;      ///< [B, N] added to the logits of each key; undefined for none
  at::Tensor path_factors;  ///< [B] float32 that the branch is taken times; undefined for ones
  bool with_metric;
  const RotaryAngles* rotary =
      nullptr;  ///< of queries and keys, which turns_fused(); null for none
};

/// Whether a fused branch takes such angles: it has no gradient for those that are learned, and
/// none for each head where heads of queries have their keys in common.
bool turns_fused(const kernels::KernelBlock& block, const RotaryAngles& angles);

struct AttentionOutputs {
  at::Tensor tokens;  ///< [B, N, D] float32
  at::Tensor metric;  ///< [B, N, d] float32 mean of the keys over the heads, before they are
                      ///< rotated, without gradient; undefined unless asked for
};

/// The attention branch of a block with its residual connection as one operator with a gradient of
/// its own, `dtype` as fused_dtype() says. Second derivatives are an error.
AttentionOutputs attention_branch(const kernels::KernelBlock& block,
                                  const kernels::BlockWeights& weights,
                                  const AttentionInputs& inputs, at::ScalarType dtype);

/// The same for the MLP branch. `tokens` [B, N, D], `path_factors` as above -> [B, N, D].
at::Tensor mlp_branch(const kernels::KernelBlock& block, const kernels::BlockWeights& weights,
                      const at::Tensor& tokens, const at::Tensor& path_factors,
                      at::ScalarType dtype);

}  // namespace vit::training
