#include <vector>

#include <ATen/ATen.h>

#include <vit/embedding.h>
#include <vit/error.h>
#include <vit/pos_embed.h>

namespace vit {
namespace {

at::Tensor positions_of_patches(const VitConfig& config) {
  const Extent grid = config.grid();
  const int64_t dim = config.embed_dim();
  switch (config.positions.kind) {
    case PositionKind::sincos_1d:
      return sincos_positions_1d(grid.count(), dim);
    case PositionKind::sincos_2d:
      return sincos_positions_2d(grid.size(), dim).repeat({1, grid.frames, 1});
    case PositionKind::sincos_3d:
      return sincos_positions_3d(grid, dim);
    case PositionKind::learned:
    case PositionKind::none:
      break;
  }
  fail("computed_positions: the positions of this model are not computed");
}

/// Integers are pixels as files have them, which a model would take for wildly bright ones.
void check_type(const at::Tensor& input) {
  TORCH_CHECK(input.defined(), "VisionTransformer: the input is an undefined tensor");
  TORCH_CHECK(input.is_floating_point(), "VisionTransformer: expected normalised pixels in a ",
              "floating point type, got ", input.scalar_type(),
              "; media::preprocess() makes them of a picture");
}

/// [B, C, H, W], or [B, C, T, H, W] where the input has frames.
void check_shape(const VitConfig& config, const at::Tensor& input) {
  const Extent& extent = config.input.extent;
  std::vector<int64_t> expected{config.input.channels};
  if (extent.frames > 1) expected.push_back(extent.frames);
  expected.insert(expected.end(), {extent.rows, extent.cols});
  const at::IntArrayRef shape = expected;
  TORCH_CHECK(
      input.dim() == static_cast<int64_t>(shape.size()) + 1 && input.sizes().slice(1) == shape,
      "VisionTransformer: expected ",
      extent.frames > 1 ? "frames of [B, C, T, H, W] = [B, " : "pixels of [B, ",
      c10::Join(", ", shape), "], got ", input.sizes(),
      "; set_image_size() changes what the model takes");
}

}  // namespace

at::Tensor computed_positions(const VitConfig& config) {
  const int64_t prefix = config.num_positions() - config.num_patches();
  return at::cat({at::zeros({1, prefix, config.embed_dim()}), positions_of_patches(config)}, 1);
}

at::Tensor Embedding::positions_for(const VitConfig& config) const {
  const Size2d table = config.positions.table;
  if (!pos_embed.defined() || table == Size2d()) return pos_embed;
  const int64_t prefix = config.num_positions() - table.height * table.width;
  return resample_positions(pos_embed, prefix, Extent::of(table), config.grid(),
                            config.positions.resampling);
}

at::Tensor Embedding::forward(const VitConfig& config, const at::Tensor& input) const {
  check_type(input);
  check_shape(config, input);
  const auto pixels = pixel_mean.defined() ? (input - pixel_mean) / pixel_std : input;
  auto x = patch_embed->forward(pixels.to(patch_embed->dtype()));

  std::vector<at::Tensor> parts;
  for (const auto& token : {cls_token, dist_token, reg_token})
    if (token.defined()) parts.push_back(token.expand({x.size(0), -1, -1}));
  const auto positions = positions_for(config);
  if (positions.defined() && !config.positions.covers_prefix) x = x + positions;
  if (!parts.empty()) {
    parts.push_back(x);
    x = at::cat(parts, 1);
  }
  if (positions.defined() && config.positions.covers_prefix) x = x + positions;
  return norm_pre ? norm_pre->forward(x) : x;
}

}  // namespace vit
