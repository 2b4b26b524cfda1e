#pragma once

#include <string>
#include <string_view>

// What people call the modules that models lie in.

namespace vit {

/// Takes out of a tensor's name what wrappers put into it without a meaning, wherever it stands:
/// torch.compile ("_orig_mod."), DistributedDataParallel and AveragedModel ("module."),
/// checkpointing of activations ("_checkpoint_wrapped_module."). "module._orig_mod.a" is "a".
std::string without_wrappers(std::string_view name);

/// What stands in front of `suffix`, a whole number of modules; npos if the name ends otherwise.
size_t length_before(std::string_view name, std::string_view suffix);

/// The part of a name that is in front of the name that a known layout gives to the patch embedding
/// of a Vision Transformer; npos if it is no such name.
size_t length_before_patch_embedding(std::string_view name);

/// Likewise for the class token of a vision tower of CLIP, whose patch embedding has a name that
/// many networks give to their first layer.
size_t length_before_clip_token(std::string_view name);

/// Whether a name is one of a Vision Transformer under any prefix.
bool names_vision_transformer(std::string_view name);

/// Whether a module of that name holds running averages of the weights of another.
bool names_average(std::string_view module);

/// Whether classifiers are called so: "head", "mlp_head", "fc2".
bool names_head(std::string_view module);

}  // namespace vit
