#pragma once

#include <string>

#include <vit/weights/state_dict.h>

namespace vit {

/// Renames and packs the weights of any of timm's classes (VisionTransformer, Eva, Beit, NaFlexVit,
/// VisionTransformerRelPos) into those of one model: names of VisionTransformer, q, k and v in one
/// tensor, gate and value in one, learned rotary frequencies with each block. Buffers that follow
/// from the config are left out. The linear patch embedding of a NaFlexVit stays
/// [dim, rows * columns * channels], see shape_patch_embedding(). Throws Error if tensors that
/// belong together do not fit each other.
StateDict timm_names(const StateDict& weights, const std::string& where);

}  // namespace vit
