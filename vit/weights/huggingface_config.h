#pragma once

#include <vit/config.h>
#include <vit/weights/json.h>

namespace vit {

/// The config.json that the transformers library writes for ViT, DeiT, DINOv2 (with and without
/// registers), and the CLIP and SigLIP vision towers, alone or within the whole model. `root` is
/// the whole document. The preprocessing is what the library does for that kind of model unless
/// read_huggingface_preprocessor() says otherwise.
ModelConfig read_huggingface_config(const JsonNode& root);

/// preprocessor_config.json beside it.
void read_huggingface_preprocessor(const JsonNode& root, ModelConfig& config);

}  // namespace vit
