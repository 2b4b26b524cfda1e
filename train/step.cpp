#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <base/error.h>
#include <train/loss.h>
#include <train/step.h>
#include <vit/autocast.h>

namespace train {
Stepper::Stepper(vit::VisionTransformer model, AdamW& optimizer, const Settings& settings,
                 bool multi_label, std::shared_ptr<distributed::Group> group)
    : model_(std::move(model)),
      optimizer_(optimizer),
      settings_(settings),
      multi_label_(multi_label),
      group_(std::move(group)) {}

double Stepper::accumulate(const StepInput& input) {
  const c10::Device device = optimizer_.parameters().front().device();
  const int64_t pictures = input.pixels.defined() ? input.pixels.size(0) : 0;
  const int64_t part = (pictures + settings_.accumulate - 1) / settings_.accumulate;
  double total = 0;
  for (int64_t begin = 0; begin < pictures; begin += part) {
    const int64_t end = std::min(begin + part, pictures);
    const at::Tensor pixels = input.pixels.slice(0, begin, end).to(device);
    at::Tensor loss;
    {
      const vit::Autocast autocast(device.type(), settings_.bf16);
      const at::Tensor logits = model_->forward(pixels);
      loss = loss_sum(logits, input.targets.slice(0, begin, end).to(device), multi_label_);
    }
    loss.backward();
    total += loss.item<double>();
  }
  return total;
}

StepResult Stepper::run(const StepInput& input, double rate, uint64_t seed, bool stop) {
  at::manual_seed(seed);
  optimizer_.clear_gradients();
  const double loss = accumulate(input);

  const at::NoGradGuard no_gradient;
  std::vector<at::Tensor> gradients = optimizer_.gradients();
  const double mine = input.pixels.defined() ? static_cast<double>(input.pixels.size(0)) : 0.0;
  at::Tensor sums = at::tensor(
      {mine, loss, stop ? 1.0 : 0.0, static_cast<double>(input.unreadable)}, at::kDouble);
  if (group_->size() > 1) {
    std::vector<at::Tensor> all = gradients;
    all.push_back(sums);
    group_->all_reduce_sum(all);
  }
  const auto* sum = sums.const_data_ptr<double>();
  StepResult result{.pictures = static_cast<int64_t>(sum[0]),
                    .unreadable = static_cast<int64_t>(sum[3]),
                    .loss = sum[1],
                    .stop = sum[2] > 0};
  if (result.pictures == 0) return result;

  const auto norms = at::_foreach_norm(gradients);
  result.norm = at::stack(norms).norm().item<double>() / sum[0];
  if (!std::isfinite(result.loss) || !std::isfinite(result.norm))
    base::fail("the ", std::isfinite(result.loss) ? "gradient" : "loss",
               " is not finite any more: training has diverged. A lower ",
               base::Setting{"Settings::rate.peak"}, ", a longer ",
               base::Setting{"Settings::rate.warmup_epochs"}, " or a smaller ",
               base::Setting{"Settings::clip"}, " may help");
  const double scale =
      settings_.clip > 0 && result.norm > settings_.clip ? settings_.clip / result.norm : 1.0;
  at::_foreach_mul_(gradients, scale / sum[0]);
  optimizer_.step(rate);
  return result;
}

}  // namespace train
