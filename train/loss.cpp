#include <ATen/ATen.h>

#include <train/loss.h>

namespace train {

at::Tensor targets(const std::vector<const std::vector<int64_t>*>& shown, int64_t classes,
                   double smoothing, bool multi_label) {
  const auto rows = static_cast<int64_t>(shown.size());
  const double base = multi_label ? smoothing / 2 : smoothing / static_cast<double>(classes);
  at::Tensor result = at::full({rows, classes}, base, at::kFloat);
  auto* row = result.mutable_data_ptr<float>();
  for (const std::vector<int64_t>* labels : shown) {
    for (const int64_t label : *labels)
      row[label] = static_cast<float>(multi_label ? 1 - base : 1 - smoothing + base);
    row += classes;
  }
  return result;
}

at::Tensor loss_sum(const at::Tensor& logits, const at::Tensor& targets, bool multi_label) {
  const at::Tensor values = logits.to(at::kFloat);
  if (multi_label)
    return at::binary_cross_entropy_with_logits(values, targets, {}, {}, at::Reduction::Sum) /
           values.size(1);
  return -(values.log_softmax(-1) * targets).sum();
}

}  // namespace train
