#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/forward.h>
#include <vit/vision_transformer.h>

// Models to be run as one kernel and as separate operators.

namespace test {

/// Three blocks for pictures of 5 x 8 patches and 7 classes.
vit::ModelConfig fused_config(int64_t dim, int64_t heads);

/// With weights large enough that merging decides clearly.
vit::VisionTransformer fused_model(const vit::ModelConfig& config,
                                   at::ScalarType dtype = at::kFloat);

at::Tensor pixels(const vit::ModelConfig& config, int64_t batch);

/// What separate operators compute, checked to be them, with sources and positions.
vit::ForwardResult reference(vit::VisionTransformer& model, const at::Tensor& input);
/// The same of fused blocks.
vit::ForwardResult fused(vit::VisionTransformer& model, const at::Tensor& input);

/// The largest difference by the largest number of `b`.
double relative(const at::Tensor& a, const at::Tensor& b);

}  // namespace test
