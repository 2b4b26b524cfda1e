#pragma once

#include <string>

#include <vit/config.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Libraries that write Vision Transformers, each under its own tensor names.
enum class Layout {
  timm,
  authors,  ///< DINO, DINOv2, MAE and DeiT III as their authors published them: nearly timm's
  huggingface,
  huggingface_clip,
  torchvision,
  open_clip,
  flax,  ///< AugReg checkpoints of the original ViT code (.npz)
};

/// Whose names these are, by what only one library has; timm if nothing tells.
Layout detect_layout(const StateDict& weights);

/// Renames and packs the weights of a layout into timm's: q, k, v in one tensor, tables and tokens
/// with their batch dim, positions of DINOv2 without the class token's. What does not belong to a
/// vision model (text towers, poolers, mask tokens) is left out. Memory-mapped tensors stay mapped
/// where nothing had to be packed.
StateDict to_timm_layout(const StateDict& weights, Layout layout, const std::string& where);

/// What the file calls the tensor `name` of its `weights` in timm's names: its name among `stored`,
/// or `name` itself where it was put together of several.
std::string name_in_file(const StateDict& stored, const StateDict& weights,
                         const std::string& name);

/// What the shapes do not show but the layout implies: family, norm eps and activation. `stored`
/// are the weights under the names of their layout.
void apply_layout_defaults(Layout layout, const StateDict& stored, VitConfig& config);

}  // namespace vit
