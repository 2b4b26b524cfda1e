#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <c10/core/Device.h>

#include <vit/extent.h>
#include <vit/precision.h>

namespace vit {

/// What load() and create() make of a checkpoint or an architecture.
struct LoadOptions {
  /// Of the model, whatever the file holds. Weights stored in its dtype are used in place,
  /// memory-mapped. For int8 see VisionTransformerImpl::set_int8().
  Precision precision = {};
  c10::Device device = c10::kCPU;
  /// Input size other than the checkpoint's; positions are resampled.
  std::optional<Size2d> image_size = std::nullopt;
  /// Pictures keep their aspect and have at most so many patches: for models that take any size
  /// (NaFlex); see VitConfig::set_max_patches().
  std::optional<int64_t> max_patches = std::nullopt;
  /// timm's name of the architecture, for bare weight files; otherwise read from the config.json
  /// beside the weights, or inferred from the shapes if there is none.
  std::string architecture = {};
  /// Classes that the head is to have, 0 for no head. One of another number is replaced by a head
  /// with random weights, to be trained. Without it, weights and config must agree.
  std::optional<int64_t> num_classes = std::nullopt;
  /// The caller puts another head in the place of the file's: one that cannot be computed (of
  /// several layers, of two) is left out, with a warning, instead of an error.
  bool replaces_head = false;
  /// false: missing and unexpected weights are tolerated (head swaps); what is missing is
  /// initialised as init_weights() does. Mis-shaped weights are errors all the same.
  bool strict = true;
  /// Gets a line of text where the model is not quite what the file holds (a new head).
  std::function<void(const std::string&)> on_warning = {};
};

}  // namespace vit
