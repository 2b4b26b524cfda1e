#include <ATen/ATen.h>

#include <apps/bench/training_step.h>
#include <vit/autocast.h>

namespace bench {
namespace {

at::Tensor loss_of(vit::VisionTransformer& model, const at::Tensor& pixels,
                   const at::Tensor& targets, at::ScalarType dtype) {
  const vit::Autocast autocast(pixels.device().type(), dtype == at::kBFloat16);
  auto logits = model->forward(pixels);
  if (logits.dim() == 3) logits = logits.mean(1);
  return at::cross_entropy_loss(logits.to(at::kFloat), targets);
}

}  // namespace

void training_step(vit::VisionTransformer& model, const at::Tensor& pixels,
                   const at::Tensor& targets, at::ScalarType dtype) {
  loss_of(model, pixels, targets, dtype).backward();
  for (auto& parameter : model->parameters()) parameter.mutable_grad().reset();
}

}  // namespace bench
