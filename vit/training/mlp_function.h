#pragma once

#include <ATen/core/Tensor.h>

#include <vit/kernels/simd.h>
#include <vit/training/branch_tensors.h>

namespace vit::training {

/// What the MLP branch is, beside its tensors.
struct MlpSettings {
  bool gated;
  simd::TileActivation activation;  ///< of one that is not gated
  NormKind norm_kind;
  double eps;
};

/// The MLP branch as one autograd node: the new tokens.
at::Tensor mlp_function(const BranchTensors& tensors, const MlpSettings& settings,
                        at::ScalarType dtype);

}  // namespace vit::training
