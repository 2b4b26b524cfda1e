#pragma once

#include <filesystem>
#include <memory>

#include <vit/weights/mapped_file.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// The weights file of a model folder: one of the usual names, else the only one with an ending
/// that weights have (states of optimizers aside), else the only one that has the contents of one.
/// What is no folder is returned as it is. Throws Error that lists what was looked for and what was
/// found, or if nothing is at `path`.
std::filesystem::path find_weights(const std::filesystem::path& path);

/// Reads any weights file that this library knows, by what it contains rather than by its name, or
/// the shards that an index (.json) names. Throws Error naming the file and the fault, among them
/// names of tensors that are not UTF-8.
StateDict read_weights(const std::filesystem::path& path);

/// The same for a file that is open already and no index.
StateDict read_weights(const std::shared_ptr<MappedFile>& file);

}  // namespace vit
