#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/kernels/simd.h>
#include <vit/training/branch.h>

namespace vit::training {

/// x + gamma fc2(norm?(act(fc1(norm(x))))), or its gated form.
struct MlpData {
  BranchData branch;
  int64_t hidden;  ///< columns of fc2
  bool gated;      ///< fc1 has the gates and then the values, act is silu
  simd::TileActivation activation;
  const float* fc1_weight;  ///< [fc1_columns(), dim]
  const float* fc1_bias;
  const float* fc2_weight;  ///< [dim, hidden]
  const float* fc2_bias;
  NormData inner_norm;  ///< before fc2

  int64_t fc1_columns() const { return gated ? 2 * hidden : hidden; }
};

/// Writes the new tokens to `out`, and to `saved` [rows, fc1_columns()] what the backward pass
/// needs.
template <typename T>
void mlp_forward(const MlpData& data, T* saved, float* out);

/// `gradient` is that of the new tokens. The gradients of weights are left out where they are not
/// wanted.
template <typename T>
BranchGradients mlp_backward(const MlpData& data, const T* saved, const float* gradient,
                             bool wants_fc1, bool wants_fc2);

}  // namespace vit::training
