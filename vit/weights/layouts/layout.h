#pragma once

#include <span>
#include <string>
#include <string_view>

#include <vit/config.h>
#include <vit/weights/json.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// A library, or a group of authors, that writes Vision Transformers under tensor names of its own,
/// and all that is known of its files. Each stands in a file of its own.
struct Layout {
  const char* name;
  const char* title;  ///< for messages

  /// Whether these are its names, by what it alone has.
  bool (*detect)(const StateDict& weights);

  /// Renames and packs its weights into timm's: q, k, v in one tensor, tables and tokens with their
  /// batch dim, positions of DINOv2 without the class token's. What does not belong to a vision
  /// model (text towers, poolers, mask tokens) is left out. Memory-mapped tensors stay mapped where
  /// nothing had to be packed. `where` names the file in errors.
  StateDict (*to_timm)(const StateDict& weights, const std::string& where);

  /// Sets what the shapes do not show but the layout implies: family, norm eps and activation.
  /// `stored` are the weights under the names of their layout.
  void (*apply_defaults)(const StateDict& stored, VitConfig& config);

  /// Whether it wrote this config.json, and what that says. Null for those that write none.
  bool (*wrote)(const JsonNode& root) = nullptr;
  ModelConfig (*read_config)(const JsonNode& root) = nullptr;

  /// Whether it gives this name to a tensor that may lie beside the model's prefix ("vit."): its
  /// classifiers, and what to_timm() leaves out. Null where all that lies there is somebody else's.
  bool (*owns)(std::string_view name) = nullptr;

  /// Gives tensors, in timm's names, the names and shapes that only a config tells. Null where it
  /// tells nothing more.
  void (*settle)(const VitConfig& config, StateDict& weights) = nullptr;
};

extern const Layout kTimmLayout;
extern const Layout kAuthorsLayout;
extern const Layout kHuggingfaceLayout;
extern const Layout kHuggingfaceClipLayout;
extern const Layout kHuggingfaceSiglip2Layout;
extern const Layout kHuggingfaceAimv2Layout;
extern const Layout kHuggingfaceDinov3Layout;
extern const Layout kHuggingfaceSapiens2Layout;
extern const Layout kHuggingfaceRadioLayout;
extern const Layout kTorchvisionLayout;
extern const Layout kOpenClipLayout;
extern const Layout kFlaxLayout;

/// Whose names these are; timm's if nothing tells.
const Layout& detect_layout(const StateDict& weights);

/// Whose config.json this is; timm's if nothing tells.
const Layout& layout_of_config(const JsonNode& root);

/// What the file calls the tensor `name` of its `weights` in timm's names: its name among `stored`,
/// or `name` itself where it was put together of several.
std::string name_in_file(const StateDict& stored, const StateDict& weights,
                         const std::string& name);

}  // namespace vit
