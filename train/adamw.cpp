#include <utility>

#include <ATen/ATen.h>

#include <train/adamw.h>

namespace train {

AdamW::AdamW(std::vector<ParameterGroup> groups, Options options)
    : groups_(std::move(groups)), options_(options) {
  for (const ParameterGroup& group : groups_) {
    Averages& averages = averages_.emplace_back();
    for (const at::Tensor& parameter : group.parameters) {
      parameters_.push_back(parameter);
      averages.first.push_back(at::zeros_like(parameter).requires_grad_(false));
      averages.second.push_back(at::zeros_like(parameter).requires_grad_(false));
      averages.steps.push_back(
          at::zeros({}, parameter.options().dtype(at::kFloat).requires_grad(false)));
    }
  }
}

std::vector<at::Tensor> AdamW::gradients() const {
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    // A parameter that this batch did not reach still decays, as in one that did.
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    gradients.push_back(parameter.grad());
  }
  return gradients;
}

void AdamW::clear_gradients() {
  for (const at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

void AdamW::step(double rate) {
  const at::NoGradGuard no_gradient;
  std::vector<at::Tensor> gradients = this->gradients();
  auto next = gradients.begin();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const ParameterGroup& group = groups_[i];
    Averages& averages = averages_[i];
    const std::vector<at::Tensor> mine(next,
                                       next + static_cast<std::ptrdiff_t>(group.parameters.size()));
    next += static_cast<std::ptrdiff_t>(mine.size());
    at::_foreach_add_(averages.steps, 1);
    at::_fused_adamw_(group.parameters, mine, averages.first, averages.second, {}, averages.steps,
                      rate * group.rate, options_.beta1, options_.beta2, group.weight_decay,
                      options_.eps, /*amsgrad=*/false, /*maximize=*/false);
  }
}

vit::StateDict AdamW::state() const {
  vit::StateDict state;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    for (std::size_t j = 0; j < groups_[i].names.size(); ++j) {
      const std::string& name = groups_[i].names[j];
      state["exp_avg." + name] = averages_[i].first[j];
      state["exp_avg_sq." + name] = averages_[i].second[j];
      state["step." + name] = averages_[i].steps[j];
    }
  return state;
}

}  // namespace train
