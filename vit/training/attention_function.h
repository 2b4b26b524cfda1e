#pragma once

#include <ATen/core/Tensor.h>

#include <vit/training/branch_tensors.h>

namespace vit::training {

/// What the attention branch is, beside its tensors.
struct AttentionSettings {
  int64_t heads;
  int64_t kv_heads;
  NormKind norm_kind;
  double eps;
  simd::RotatedPairs pairs = {};  ///< of RotationTables
  int64_t angles = 0;             ///< likewise
};

/// The attention branch as one autograd node: the new tokens and, if it is asked for, the metric.
variable_list attention_function(const BranchTensors& tensors, const AttentionSettings& settings,
                                 bool with_metric, at::ScalarType dtype);

}  // namespace vit::training
