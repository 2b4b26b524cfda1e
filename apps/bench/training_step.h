#pragma once

#include <ATen/core/Tensor.h>

#include <vit/vision_transformer.h>

namespace bench {

/// What of a training step depends on the model: forward pass, cross-entropy, backward pass.
/// `pixels` [B,C,H,W] float32, `targets` [B] int64; `dtype` float32, or bfloat16 for autocast to
/// it. The gradients are gone afterwards.
void training_step(vit::VisionTransformer& model, const at::Tensor& pixels,
                   const at::Tensor& targets, at::ScalarType dtype);

}  // namespace bench
