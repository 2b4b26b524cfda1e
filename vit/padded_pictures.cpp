#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/limits.h>
#include <vit/padded_pictures.h>

namespace vit {
namespace {

void check_values(const VitConfig& config, const at::Tensor& values) {
  const Size2d patch = config.patch.size();
  const int64_t channels = config.input.channels, width = patch.height * patch.width * channels;
  if (!config.takes_any_size())
    fail("pixel_values: the model takes pictures of ", config.image_size().height, "x",
         config.image_size().width, " pixels alone, [B, ", channels,
         ", H, W]; patches of pictures of any size are for models that take these (NaFlex)");
  if (!values.defined() || values.dim() != 3 || values.size(0) < 1 || values.size(2) != width ||
      !values.is_floating_point())
    fail("pixel_values: expected floating point numbers of shape [B, L, ", patch.height, " * ",
         patch.width, " * ", channels, " = ", width, "], got ",
         values.defined() ? values.toString() : "nothing", " of shape ",
         values.defined() ? values.sizes() : at::IntArrayRef());
}

bool is_whole(const at::Tensor& x) { return at::isIntegralType(x.scalar_type(), true); }

/// Of each picture, at most `length` patches.
std::vector<Extent> grids_of(const at::Tensor& shapes, int64_t batch, int64_t length) {
  if (!shapes.defined() || !is_whole(shapes) || shapes.dim() != 2 || shapes.size(0) != batch ||
      shapes.size(1) != 2)
    fail("spatial_shapes: expected integers of shape [", batch, ", 2], got ",
         shapes.defined() ? shapes.toString() : "nothing", " of shape ",
         shapes.defined() ? shapes.sizes() : at::IntArrayRef());
  const auto sides = shapes.to(at::kCPU, at::kLong).contiguous();
  std::vector<Extent> grids;
  for (int64_t i = 0; i < batch; ++i) {
    const auto* side = sides.const_data_ptr<int64_t>() + 2 * i;
    if (side[0] < 1 || side[1] < 1 || side[0] > length || side[1] > length / side[0])
      fail("spatial_shapes: ", side[0], " x ", side[1], " patches of picture ", i,
           ", expected at least 1 and at most ", length, ", as pixel_values has");
    grids.push_back({1, side[0], side[1]});
  }
  return grids;
}

void check_mask(const at::Tensor& mask, const std::vector<Extent>& grids, int64_t length) {
  const auto batch = static_cast<int64_t>(grids.size());
  if (mask.dim() != 2 || mask.size(0) != batch || mask.size(1) != length)
    fail("pixel_attention_mask: expected the shape [", batch, ", ", length, "], got ",
         mask.sizes());
  const auto marked = mask.to(at::kCPU).ne(0);
  for (int64_t i = 0; i < batch; ++i) {
    const int64_t count = grids[static_cast<size_t>(i)].count();
    if (!marked[i].slice(0, 0, count).all().item<bool>() ||
        marked[i].slice(0, count).any().item<bool>())
      fail("pixel_attention_mask: picture ", i, " has ", count,
           " patches by its spatial shape; expected 1 for the first ", count, " and 0 behind them");
  }
}

}  // namespace

CutPictures PaddedPictures::cut(const VitConfig& config) const {
  check_values(config, pixel_values);
  const int64_t batch = pixel_values.size(0), length = pixel_values.size(1);
  CutPictures result;
  result.grids = grids_of(spatial_shapes, batch, length);
  if (pixel_attention_mask.defined()) check_mask(pixel_attention_mask, result.grids, length);
  std::vector<at::Tensor> patches;
  for (int64_t i = 0; i < batch; ++i)
    patches.push_back(pixel_values[i].slice(0, 0, result.grids[static_cast<size_t>(i)].count()));
  const Size2d patch = config.patch.size();
  // Weights are in the layout of a convolution.
  result.patches = at::cat(patches, 0)
                       .view({-1, patch.height, patch.width, config.input.channels})
                       .permute({0, 3, 1, 2})
                       .flatten(1);
  return result;
}

}  // namespace vit
