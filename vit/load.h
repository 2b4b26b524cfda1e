#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <c10/core/Device.h>

#include <vit/precision.h>
#include <vit/vision_transformer.h>

namespace vit {

struct LoadOptions {
  /// Of the model, whatever the file holds. Weights stored in its dtype are used in place,
  /// memory-mapped. For int8 see VisionTransformerImpl::set_int8().
  Precision precision = {};
  c10::Device device = c10::kCPU;
  /// Input size other than the checkpoint's; positions are resampled.
  std::optional<Size2d> image_size = std::nullopt;
  /// timm's name of the architecture, for bare weight files; otherwise read from the config.json
  /// beside the weights, or inferred from the shapes if there is none.
  std::string architecture = {};
  /// Classes that the head is to have, 0 for no head. One of another number is replaced by a head
  /// with random weights, to be trained. Without it, weights and config must agree.
  std::optional<int64_t> num_classes = std::nullopt;
  /// false: missing and unexpected weights are tolerated (head swaps); what is missing is
  /// initialised as init_weights() does. Mis-shaped weights are errors all the same.
  bool strict = true;
  /// Gets a line of text where the model is not quite what the file holds (a new head).
  std::function<void(const std::string&)> on_warning = {};
};

/// Loads a checkpoint: a folder with config.json and model.safetensors (or its sharded index, or
/// one weights file of another name), or a bare weights file, or "hf:org/name" for a model of a hub
/// (vitome::hub, after hub::enable()). The model is in eval mode, and its
/// parameters want no gradients until requires_grad_() says so. Weights that are used in place are
/// private to the process: training them leaves the file as it is, but the file must not be
/// overwritten while the model lives. A program that only runs it makes an InferenceModel of it,
/// which needs half the memory.
///
/// Throws Error that names the file and what is wrong: unreadable or malformed files, a config
/// that contradicts the weights, "hf:" without a hub, and lists of missing, unexpected and
/// mis-shaped tensors.
VisionTransformer load(const std::filesystem::path& path, const LoadOptions& options = {});

/// A model of a known architecture ("vit_base_patch16_224") with random weights.
VisionTransformer create(const std::string& architecture, const LoadOptions& options = {},
                         uint64_t seed = 0);

}  // namespace vit
