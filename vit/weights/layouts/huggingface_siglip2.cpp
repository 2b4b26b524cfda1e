#include <ATen/ATen.h>

#include <vit/weights/infer.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>

// SigLIP 2 for pictures of any aspect (NaFlex) in the transformers library. Its tensors have the
// names of SigLIP's, but its patch embedding is a linear layer over rows, columns and channels.

namespace vit {
namespace {

constexpr const char* kPatches = "embeddings.patch_embedding.weight";

bool detect(const StateDict& weights) {
  const at::Tensor* patches = find_in_model(weights, kPatches);
  return patches && patches->dim() == 2;
}

/// [D, rows * columns * 3] -> [D, 3, rows, columns] where these are the pixels of square patches of
/// three channels; a config tells the others.
StateDict to_timm(const StateDict& weights, const std::string& where) {
  auto renamed = kHuggingfaceClipLayout.to_timm(weights, where);
  auto& patches = renamed.at("patch_embed.proj.weight");
  constexpr int64_t kColours = 3;
  if (patches.dim() != 2 || patches.size(1) % kColours) return renamed;
  if (const int64_t side = square_grid_side(patches.size(1) / kColours, 0))
    patches =
        patches.reshape({patches.size(0), side, side, kColours}).permute({0, 3, 1, 2}).contiguous();
  return renamed;
}

/// A square table of `entries` positions, for pictures of as many patches until another size is
/// chosen.
void set_naflex(VitConfig& vit, int64_t side) {
  vit.prefix.cls_tokens = 0;
  vit.positions.table = {side, side};
  vit.positions.covers_prefix = false;
  vit.positions.resampling = Resampling::bilinear_antialias;
  vit.set_image_size({side * vit.patch.size().height, side * vit.patch.size().width});
}

void apply_defaults(const StateDict& stored, VitConfig& config) {
  kHuggingfaceClipLayout.apply_defaults(stored, config);
  config.family = "siglip2";
  set_naflex(config, config.grid().rows);
  prepare_as_huggingface(config, config.family);
}

}  // namespace

void huggingface::read_siglip2(const Document& document, ModelConfig& config) {
  read_siglip(document, config);
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  int64_t patches = 256;
  optional_count(model, "num_patches", patches);
  const int64_t side = square_grid_side(patches, 0);
  if (side == 0) model.at("num_patches").fail(patches, " is not the square of a whole number");
  constexpr int64_t kMaxSide = 1 << 12;
  if (side > kMaxSide) model.at("num_patches").fail(patches, " is out of range");
  if (const Size2d patch = vit.patch.size(); patch.height < 1 || patch.width < 1)
    model.at("patch_size").fail("expected 1 pixel or more");
  set_naflex(vit, side);
}

const Layout kHuggingfaceSiglip2Layout{
    "huggingface_siglip2",
    "transformers",
    detect,
    to_timm,
    apply_defaults,
    nullptr,
    nullptr,
    [](std::string_view name) { return kHuggingfaceClipLayout.owns(name); }};

}  // namespace vit
