#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <vit/load_options.h>
#include <vit/vision_transformer.h>

namespace vit {

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
