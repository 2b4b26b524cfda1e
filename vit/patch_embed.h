#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/config.h>

namespace vit {

/// Weights in the layout of a convolution.
class PatchProjectionImpl : public torch::nn::Module {
 public:
  explicit PatchProjectionImpl(const VitConfig& config);

  at::Tensor weight;  ///< [D, C, patch height, patch width]
  at::Tensor bias;    ///< [D] or undefined
};
TORCH_MODULE(PatchProjection);

/// Cuts a picture into patches that do not overlap and projects each to a token.
class PatchEmbedImpl : public torch::nn::Module {
 public:
  explicit PatchEmbedImpl(const VitConfig& config);

  /// `pixels` [B, C, H, W] -> [B, patches, D], row by row. Rows and columns of pixels beyond the
  /// last whole patch are ignored.
  at::Tensor forward(const at::Tensor& pixels) const;

  at::ScalarType dtype() const { return proj_->weight.scalar_type(); }

 private:
  Size2d patch_size_;
  PatchProjection proj_{nullptr};
};
TORCH_MODULE(PatchEmbed);

}  // namespace vit
