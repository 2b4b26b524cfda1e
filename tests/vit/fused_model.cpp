#include "tests/vit/fused_model.h"

#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/support/fused_runs.h"

#include <ATen/ATen.h>

namespace test {

vit::ModelConfig fused_config(int64_t dim, int64_t heads) {
  vit::ModelConfig config;
  config.vit.set_image_size({40, 64});
  config.vit.patch.set_size({8, 8});
  config.vit.block.dim = dim;
  config.vit.depth = 3;
  config.vit.block.attention.num_heads = heads;
  config.vit.block.mlp.hidden_dim = 3 * dim - 6;
  config.vit.head.num_classes = 7;
  return config;
}

vit::VisionTransformer fused_model(const vit::ModelConfig& config, at::ScalarType dtype) {
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  at::NoGradGuard no_grad;
  for (const auto& parameter : model->named_parameters()) {
    parameter.value().requires_grad_(false);
    // Weights of training scale make all tokens alike; larger ones make decisions clear.
    if (parameter.value().dim() > 1) parameter.value().mul_(4);
    if (parameter.key().ends_with("gamma")) parameter.value().fill_(0.7);
    if (parameter.key().ends_with("bias"))
      parameter.value().normal_(0, 0.1, at::make_generator<at::CPUGeneratorImpl>(5));
  }
  model->to(dtype);
  return model;
}

at::Tensor pixels(const vit::ModelConfig& config, int64_t batch) {
  return at::randn({batch, 3, config.vit.image_size().height, config.vit.image_size().width},
                   at::make_generator<at::CPUGeneratorImpl>(7));
}

vit::ForwardResult reference(vit::VisionTransformer& model, const at::Tensor& input) {
  const KernelChoice choice("reference");
  const FusedRuns runs;
  auto result = model->forward_all(input, {.track_source = true, .track_positions = true});
  CHECK(runs.count() == 0);
  return result;
}

vit::ForwardResult fused(vit::VisionTransformer& model, const at::Tensor& input) {
  const KernelChoice choice("auto");
  const FusedRuns runs;
  auto result = model->forward_all(input, {.track_source = true, .track_positions = true});
  CHECK(runs.count() == 1);
  return result;
}

double relative(const at::Tensor& a, const at::Tensor& b) {
  return max_difference(a, b) / b.abs().max().item<double>();
}

}  // namespace test
