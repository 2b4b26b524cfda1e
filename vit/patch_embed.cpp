#include <ATen/ATen.h>

#include <vit/patch_embed.h>

namespace vit {

PatchProjectionImpl::PatchProjectionImpl(const VitConfig& config)
    : weight(register_parameter(
          "weight", torch::empty({config.embed_dim, config.in_channels, config.patch_size.height,
                                  config.patch_size.width}))) {
  if (config.patch_bias) bias = register_parameter("bias", torch::empty({config.embed_dim}));
}

PatchEmbedImpl::PatchEmbedImpl(const VitConfig& config)
    : patch_size_(config.patch_size), proj_(register_module("proj", PatchProjection(config))) {}

at::Tensor PatchEmbedImpl::forward(const at::Tensor& pixels) const {
  const int64_t batch = pixels.size(0), channels = pixels.size(1);
  const int64_t rows = pixels.size(2) / patch_size_.height;
  const int64_t cols = pixels.size(3) / patch_size_.width;
  // A convolution whose stride is its kernel is one matrix product over rearranged pixels.
  const auto patches =
      pixels.slice(2, 0, rows * patch_size_.height)
          .slice(3, 0, cols * patch_size_.width)
          .reshape({batch, channels, rows, patch_size_.height, cols, patch_size_.width})
          .permute({0, 2, 4, 1, 3, 5})
          .reshape({batch, rows * cols, channels * patch_size_.height * patch_size_.width});
  return at::linear(patches, proj_->weight.flatten(1), proj_->bias);
}

}  // namespace vit
