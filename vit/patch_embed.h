#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/config.h>
#include <vit/layers.h>

namespace vit {

/// Weights in the layout of a convolution.
class PatchProjectionImpl : public torch::nn::Module {
 public:
  PatchProjectionImpl(int64_t channels, const PatchConfig& config, int64_t dim);

  at::Tensor weight;  ///< [D, C, kernel rows, kernel columns], or [D, C, frames, rows, columns]
                      ///< where a patch has several frames
  at::Tensor bias;    ///< [D] or undefined
};
TORCH_MODULE(PatchProjection);

/// Cuts an input into patches, which may overlap, and projects each to a token: a convolution.
class PatchEmbedImpl : public torch::nn::Module {
 public:
  /// For inputs of `channels` channels and tokens of `dim`; `norm` is the kind that config.norm
  /// asks for.
  PatchEmbedImpl(int64_t channels, const PatchConfig& config, int64_t dim,
                 const NormConfig& norm = {});

  /// `x` [B, C, rows, columns] or [B, C, frames, rows, columns] -> [B, patches, D], frame by frame
  /// and row by row. What the patches leave over at the end of an axis is ignored.
  at::Tensor forward(const at::Tensor& x) const;

  /// Both steps of it: `x` -> [B, patches, C * kernel], each patch by channel, frame, row and
  /// column, and such patches [..., C * kernel] -> tokens [..., D].
  at::Tensor cut(const at::Tensor& x) const;
  at::Tensor project(const at::Tensor& patches) const;

  at::ScalarType dtype() const { return proj_->weight.scalar_type(); }

 private:
  PatchConfig config_;
  PatchProjection proj_{nullptr};
  Norm norm_{nullptr};
};
TORCH_MODULE(PatchEmbed);

}  // namespace vit
