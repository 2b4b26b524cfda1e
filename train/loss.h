#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace train {

/// Targets [n, classes] float32 for the classes that each of n pictures shows. One class each: a
/// distribution that keeps `smoothing` for all classes alike (arXiv 1512.00567). `multi_label`: a
/// probability for each class of its own, which smoothing draws towards one half.
at::Tensor targets(const std::vector<const std::vector<int64_t>*>& shown, int64_t classes,
                   double smoothing, bool multi_label);

/// Sum over the pictures, float32: of the cross entropy between targets and softmax(logits), or
/// with `multi_label` of the mean over classes of the binary cross entropy. Both [n, classes].
at::Tensor loss_sum(const at::Tensor& logits, const at::Tensor& targets, bool multi_label);

}  // namespace train
