#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace vit::training {

/// Parameters of one branch of a block, x + gamma last(…first(norm(x))). float32.
struct BranchParameters {
  at::Tensor norm_weight, norm_bias;
  at::Tensor first_weight, first_bias;  ///< qkv or fc1; the bias may be undefined
  at::Tensor last_weight, last_bias;    ///< proj or fc2
  at::Tensor gamma;                     ///< layer scale; undefined for none
};

/// What branches that compute gradients multiply and keep, float32 or bfloat16 (under autocast to
/// it); nothing where they do not fit: gradients that nobody wants, other devices and dtypes,
/// kinds of blocks they do not know, VITOME_KERNELS=reference.
std::optional<at::ScalarType> fused_dtype(const VitConfig& config, const at::Tensor& tokens,
                                          const std::vector<at::Tensor>& parameters);

struct AttentionInputs {
  at::Tensor tokens;        ///< [B, N, D]
  at::Tensor key_bias;      ///< [B, N] added to the logits of each key; undefined for none
  at::Tensor path_factors;  ///< [B] float32 that the branch is taken times; undefined for ones
  bool with_metric;
};

struct AttentionOutputs {
  at::Tensor tokens;  ///< [B, N, D] float32
  at::Tensor metric;  ///< [B, N, d] float32 mean of the keys over the heads, without gradient;
                      ///< undefined unless asked for
};

/// The attention branch of a block with its residual connection as one operator with a gradient of
/// its own, `dtype` as fused_dtype() says. Second derivatives are an error.
AttentionOutputs attention_branch(const VitConfig& config, const BranchParameters& parameters,
                                  const AttentionInputs& inputs, at::ScalarType dtype);

/// The same for the MLP branch. `tokens` [B, N, D], `path_factors` as above -> [B, N, D].
at::Tensor mlp_branch(const VitConfig& config, const BranchParameters& parameters,
                      const at::Tensor& tokens, const at::Tensor& path_factors,
                      at::ScalarType dtype);

}  // namespace vit::training
