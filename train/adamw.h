#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <train/parameter_groups.h>
#include <vit/weights/state_dict.h>

namespace train {

/// Adam with decoupled weight decay (arXiv 1711.05101), by LibTorch's fused kernel: one pass over
/// the memory of each parameter.
class AdamW {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
  };

  AdamW(std::vector<ParameterGroup> groups, Options options);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

  /// All parameters of all groups, in the order of gradients() and of the groups.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

  /// The gradients; zeros where a parameter got none.
  std::vector<at::Tensor> gradients() const;
  void clear_gradients();

  /// One update with the learning rate `rate` times that of the group.
  void step(double rate);

  /// The running averages, under the names of the parameters; the tensors themselves, no copies.
  vit::StateDict state() const;

 private:
  struct Averages {
    std::vector<at::Tensor> first, second, steps;
  };

  std::vector<ParameterGroup> groups_;
  Options options_;
  std::vector<at::Tensor> parameters_;
  std::vector<Averages> averages_;  // by group
};

}  // namespace train
