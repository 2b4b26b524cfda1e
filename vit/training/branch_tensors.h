#pragma once

#include <cstddef>
#include <optional>

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vit/training/branch.h>

// The tensors that the autograd nodes of both branches take.

namespace vit::training {

/// Their order. The first layer is qkv or fc1, the last one proj or fc2; the inner norm is before
/// the last one. Those behind kBranchArguments are attention's.
enum Argument : std::size_t {
  kX,
  kNormWeight,
  kNormBias,
  kFirstWeight,
  kFirstBias,
  kInnerNormWeight,
  kInnerNormBias,
  kLastWeight,
  kLastBias,
  kGamma,
  kPathFactors,
  kBranchArguments,
  kQNormWeight = kBranchArguments,
  kQNormBias,
  kKNormWeight,
  kKNormBias,
  kKeyBias,
  kRotation,
  kAttentionArguments,
};

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Some of those tensors, contiguous; undefined ones are left out of what autograd sees.
class BranchTensors {
 public:
  /// `list` in the order of Argument, of which it has `count`.
  BranchTensors(variable_list list, std::size_t count);
  /// What saved() and mask() gave.
  BranchTensors(const variable_list& saved, int64_t mask, std::size_t count);

  const at::Tensor& operator[](std::size_t argument) const { return list_[argument]; }
  /// The defined ones, one after the other.
  variable_list saved() const;
  /// A bit for each of them.
  int64_t mask() const;
  /// Whether anybody wants the gradient of one of them.
  bool needs_gradient(const AutogradContext& context, std::size_t argument) const;

  /// `norm` of either branch, which has one kind for all its norms.
  NormData norm(NormKind kind, double eps, std::size_t weight) const;
  BranchData branch(NormKind kind, double eps) const;
  /// That of the first layer, or of the last one; zeros without.
  const float* bias(std::size_t argument) const;
  /// Whether anybody wants the gradients of the last layer's weights, or what follows from them.
  bool needs_last(const AutogradContext& context) const;

  /// Gradients in the order of saved(), of a function that takes `others` other arguments behind
  /// them.
  variable_list in_order(const BranchGradients& gradients, std::size_t others) const;

 private:
  variable_list list_;
  at::Tensor zeros_;  // for layers without bias
};

/// Whether a backward pass may run; second derivatives would come out as zero.
void check_first_derivative();

}  // namespace vit::training
