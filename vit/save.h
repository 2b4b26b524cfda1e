#pragma once

#include <filesystem>

#include <ATen/core/ScalarType.h>

#include <vit/vision_transformer.h>

namespace vit {

/// Writes a folder that load() and timm read: config.json and model.safetensors with the weights in
/// `dtype`. Computed positions are written as the table that they are. The folder is made if it is
/// not there; each file appears whole or not at all. Throws Error if writing fails, and for finite
/// weights that `dtype` cannot hold.
void save(const VisionTransformer& model, const std::filesystem::path& folder,
          at::ScalarType dtype = at::kFloat);

}  // namespace vit
