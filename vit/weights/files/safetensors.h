#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <vit/weights/state_dict.h>

namespace vit {

/// Reads a .safetensors file by mapping it: no tensor is copied unless its data is not aligned to
/// its element size. The header is checked as the format demands (exact offsets, no overlap, no
/// holes, no rest, no duplicate names) before anything of the size it claims is allocated.
/// Throws Error naming the file, the tensor and the fault.
StateDict read_safetensors(const std::filesystem::path& path);

/// Reads model.safetensors.index.json and the shards it names, which lie in the folder of the
/// index. Throws Error where index and shards do not name exactly the same tensors.
StateDict read_safetensors_index(const std::filesystem::path& index);

/// Writes tensors (any device, made contiguous), wider elements first so that all stay aligned in
/// the mapped file, else in the order of their names. Atomically: a temporary file beside `path` is
/// renamed when it is complete. Throws Error if that fails.
void write_safetensors(const std::filesystem::path& path, const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace vit
