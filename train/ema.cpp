#include <algorithm>

#include <ATen/ATen.h>

#include <train/ema.h>

namespace train {

Ema::Ema(const vit::VisionTransformer& model, double decay) : decay_(decay) {
  for (const auto& item : model->named_parameters()) {
    parameters_.push_back(item.value());
    averages_.push_back(item.value().detach().clone());
    weights_[item.key()] = averages_.back();
  }
}

void Ema::update(int64_t updates) {
  const at::NoGradGuard no_gradient;
  const double warm = static_cast<double>(1 + updates) / static_cast<double>(10 + updates);
  at::_foreach_lerp_(averages_, parameters_, 1 - std::min(decay_, warm));
}

}  // namespace train
