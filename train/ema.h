#pragma once

#include <cstdint>

#include <vit/vision_transformer.h>
#include <vit/weights/state_dict.h>

namespace train {

/// Exponential moving average of a model's weights, usually better than the last ones.
class Ema {
 public:
  /// Each update keeps `decay` of the average; less in the beginning, when there is little to
  /// average: at most (1 + updates) / (10 + updates).
  Ema(const vit::VisionTransformer& model, double decay);

  /// After the `updates`-th step of the optimizer.
  void update(int64_t updates);

  /// The averages under the names of the parameters; the tensors themselves, no copies.
  const vit::StateDict& weights() const { return weights_; }

 private:
  std::vector<at::Tensor> parameters_, averages_;
  vit::StateDict weights_;
  double decay_;
};

}  // namespace train
