#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/block_config.h>

// Layers like torch::nn's, but their parameters are not initialised when they are built: a
// checkpoint replaces them anyway, and filling them takes longer than mapping the file.

namespace vit {

/// y = x weight^T + bias, over the last dimension.
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(int64_t in_features, int64_t out_features, bool bias = true);
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out] or undefined
};
TORCH_MODULE(Linear);

/// Normalisation over the last dimension.
class NormImpl : public torch::nn::Module {
 public:
  NormImpl(int64_t dim, NormConfig config);
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight;  ///< [dim]
  at::Tensor bias;    ///< [dim]; undefined for an RMS norm

 private:
  NormConfig config_;
};
TORCH_MODULE(Norm);

/// Learned scale per channel on a residual branch (arXiv 2103.17239).
class LayerScaleImpl : public torch::nn::Module {
 public:
  explicit LayerScaleImpl(int64_t dim);
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor gamma;  ///< [dim]
};
TORCH_MODULE(LayerScale);

/// Stochastic depth (arXiv 1603.09382): what the branches of `batch` samples are taken times [B],
/// float32: zero for a share `rate` of them, chosen by the default generator, 1 / (1 - rate) for
/// the others.
at::Tensor draw_path_factors(int64_t batch, double rate);

at::Tensor activate(const at::Tensor& x, Activation activation);

/// x + branch; overwrites x where no gradient can need it.
at::Tensor add_residual(const at::Tensor& x, const at::Tensor& branch);

}  // namespace vit
