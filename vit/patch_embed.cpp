#include <vector>

#include <ATen/ATen.h>

#include <vit/patch_embed.h>

namespace vit {
namespace {

std::vector<int64_t> weight_shape(int64_t channels, const Extent& kernel, int64_t dim) {
  if (kernel.frames == 1) return {dim, channels, kernel.rows, kernel.cols};
  return {dim, channels, kernel.frames, kernel.rows, kernel.cols};
}

}  // namespace

PatchProjectionImpl::PatchProjectionImpl(int64_t channels, const PatchConfig& config, int64_t dim)
    : weight(
          register_parameter("weight", torch::empty(weight_shape(channels, config.kernel, dim)))) {
  if (config.bias) bias = register_parameter("bias", torch::empty({dim}));
}

PatchEmbedImpl::PatchEmbedImpl(int64_t channels, const PatchConfig& config, int64_t dim,
                               const NormConfig& norm)
    : config_(config), proj_(register_module("proj", PatchProjection(channels, config, dim))) {
  if (config.norm) norm_ = register_module("norm", Norm(dim, norm));
}

at::Tensor PatchEmbedImpl::forward(const at::Tensor& x) const { return project(cut(x)); }

at::Tensor PatchEmbedImpl::cut(const at::Tensor& x) const {
  const Extent &kernel = config_.kernel, &stride = config_.stride;
  // The convolution as one matrix product over rearranged inputs.
  return (x.dim() == 4 ? x.unsqueeze(2) : x)
      .unfold(2, kernel.frames, stride.frames)
      .unfold(3, kernel.rows, stride.rows)
      .unfold(4, kernel.cols, stride.cols)
      .permute({0, 2, 3, 4, 1, 5, 6, 7})
      .flatten(4)
      .flatten(1, 3);
}

at::Tensor PatchEmbedImpl::project(const at::Tensor& patches) const {
  const auto tokens = at::linear(patches, proj_->weight.flatten(1), proj_->bias);
  return norm_ ? norm_->forward(tokens) : tokens;
}

}  // namespace vit
