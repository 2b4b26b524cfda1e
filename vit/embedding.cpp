#include <map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include <vit/embedding.h>
#include <vit/error.h>
#include <vit/limits.h>
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

/// Any H and W that the patches divide.
Extent checked_grid(const VitConfig& config, const at::Tensor& input) {
  const auto [rows, cols] = config.patch.size();
  TORCH_CHECK(input.dim() == 4 && input.size(1) == config.input.channels && input.size(2) > 0 &&
                  input.size(3) > 0 && input.size(2) % rows == 0 && input.size(3) % cols == 0,
              "VisionTransformer: expected pixels of [B, ", config.input.channels,
              ", H, W] with H a multiple of ", rows, " and W of ", cols, ", got ", input.sizes());
  const Extent grid{1, input.size(2) / rows, input.size(3) / cols};
  TORCH_CHECK(grid.rows <= kMaxTokens && grid.cols <= kMaxTokens &&
                  grid.count() + config.num_prefix_tokens() <= kMaxTokens,
              "VisionTransformer: pictures of ", input.size(2), "x", input.size(3),
              " pixels have more than ", kMaxTokens, " tokens");
  return grid;
}

}  // namespace

at::Tensor computed_positions(const VitConfig& config) {
  const int64_t prefix = config.num_positions() - config.num_patches();
  return at::cat({at::zeros({1, prefix, config.embed_dim()}), positions_of_patches(config)}, 1);
}

Extent grid_of(const VitConfig& config, const at::Tensor& input) {
  check_type(input);
  if (config.takes_any_size()) return checked_grid(config, input);
  check_shape(config, input);
  return config.grid();
}

at::Tensor Embedding::positions_for(const VitConfig& config, const Extent& grid) const {
  const Size2d table = config.positions.table;
  if (!pos_embed.defined() || table == Size2d()) return pos_embed;
  const int64_t prefix = config.num_positions() - table.height * table.width;
  return resample_positions(pos_embed, prefix, Extent::of(table), grid,
                            config.positions.resampling);
}

std::vector<at::Tensor> Embedding::prefix() const {
  std::vector<at::Tensor> tokens;
  for (const auto& token : {cls_token, dist_token, reg_token})
    if (token.defined()) tokens.push_back(token);
  return tokens;
}

at::Tensor Embedding::forward(const VitConfig& config, const at::Tensor& input) const {
  const Extent grid = grid_of(config, input);
  const auto pixels = pixel_mean.defined() ? (input - pixel_mean) / pixel_std : input;
  auto x = patch_embed->forward(pixels.to(patch_embed->dtype()));

  const auto positions = positions_for(config, grid);
  if (positions.defined() && !config.positions.covers_prefix) x = x + positions;
  if (auto parts = prefix(); !parts.empty()) {
    for (auto& token : parts) token = token.expand({x.size(0), -1, -1});
    parts.push_back(x);
    x = at::cat(parts, 1);
  }
  if (positions.defined() && config.positions.covers_prefix) x = x + positions;
  return norm_pre ? norm_pre->forward(x) : x;
}

at::Tensor Embedding::forward(const VitConfig& config, const CutPictures& pictures) const {
  auto patches = pictures.patches;
  if (pixel_mean.defined()) {
    const auto by_channel = patches.view({patches.size(0), pixel_mean.size(0), -1});
    patches = ((by_channel - pixel_mean.squeeze(-1)) / pixel_std.squeeze(-1)).flatten(1);
  }
  const auto x = patch_embed->project(patches.to(patch_embed->dtype()));

  const auto before = prefix();
  std::map<std::pair<int64_t, int64_t>, at::Tensor> positions;  // by grid
  std::vector<at::Tensor> samples;
  int64_t begin = 0;
  for (const Extent& grid : pictures.grids) {
    auto& position = positions[{grid.rows, grid.cols}];
    if (!position.defined()) position = positions_for(config, grid);
    auto sample = x.slice(0, begin, begin + grid.count()).unsqueeze(0);
    begin += grid.count();
    if (position.defined() && !config.positions.covers_prefix) sample = sample + position;
    if (!before.empty()) {
      auto parts = before;
      parts.push_back(sample);
      sample = at::cat(parts, 1);
    }
    if (position.defined() && config.positions.covers_prefix) sample = sample + position;
    samples.push_back((norm_pre ? norm_pre->forward(sample) : sample).squeeze(0));
  }
  return at::pad_sequence(samples, /*batch_first=*/true);
}

}  // namespace vit
