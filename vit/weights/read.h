#pragma once

#include <filesystem>

#include <vit/weights/state_dict.h>

namespace vit {

/// Reads any weights file that this library knows, by what it contains rather than by its name.
/// Throws Error naming the file and the fault.
StateDict read_weights(const std::filesystem::path& path);

}  // namespace vit
