#pragma once

#include <string>

#include <vit/weights/layouts/layout.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// A Vision Transformer among the tensors of a file, which may lie in modules of any names.
struct FoundModel {
  const Layout* layout = nullptr;
  std::string prefix;  ///< what stands in front of its names, "model.backbone."
  StateDict weights;   ///< under the names of its layout
  StateDict beside;  ///< what does not belong to it: a classifier, weights of a loss, a text tower
  /// Why these tensors and not others; empty where there was no choice.
  std::string choice;
};

/// Finds the model by the name of its patch embedding, whatever the modules are called that it lies
/// in; what wrappers put into names is taken out of them (without_wrappers()). Of several models a
/// running average ("ema", "teacher") wins over the weights it is of. Tensors without any patch
/// embedding are taken for a model as they are. `where` names the file in errors.
/// Throws Error where two tensors get one name, or where nothing tells which of several models is
/// meant.
FoundModel find_model(StateDict stored, const std::string& where);

}  // namespace vit
