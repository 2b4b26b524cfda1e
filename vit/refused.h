#pragma once

#include <span>
#include <string>
#include <string_view>

// Everything that is refused because this library does not compute it, in one place: what learns to
// run is struck here, and nowhere else.

namespace vit {

/// Why models of one of timm's architectures cannot be run ("it has rotary positions"); null if
/// nothing is known against them.
const char* why_refused(std::string_view architecture);

/// What a model of that "model_type" of the transformers library is, where it is none that can be
/// run ("SAM, whose attention is in windows"); null if nothing is known of it.
const char* what_is_model_type(std::string_view model_type);

/// Arguments of timm's models that must not be set.
std::span<const char* const> refused_timm_arguments();

/// Fields of OpenCLIP's vision_cfg that must not be set.
std::span<const char* const> refused_open_clip_fields();

/// Throws Error if tensors are, by their names, those of a model that this library does not
/// compute, and says which kind it looks like. `stored` are the names of the file, `renamed` those
/// that they have in timm, `where` is the file. Weights of no known kind pass: what they lack is
/// told when they are compared with a model.
void refuse_other_models(std::span<const std::string> stored, std::span<const std::string> renamed,
                         const std::string& where);

}  // namespace vit
