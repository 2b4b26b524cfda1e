#pragma once

#include <filesystem>

#include <vit/weights/state_dict.h>

namespace vit {

/// The weights file of a model folder: one of the usual names, else the only one there is. What is
/// no folder is returned as it is. Throws Error that lists what was looked for.
std::filesystem::path find_weights(const std::filesystem::path& path);

/// Reads any weights file that this library knows, by what it contains rather than by its name.
/// Throws Error naming the file and the fault.
StateDict read_weights(const std::filesystem::path& path);

}  // namespace vit
