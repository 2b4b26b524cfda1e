#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <vit/weights/mapped_file.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Reads the shard of that name.
using ShardReader = std::function<StateDict(const std::string& name)>;

/// The tensors of all shards that an index names (model.safetensors.index.json,
/// pytorch_model.bin.index.json). All are of the kind that the name of the index says. Throws Error
/// where a shard would lie anywhere but in the folder of the index, or where index and shards do
/// not name exactly the same tensors.
StateDict read_shards(const MappedFile& index, const ShardReader& read_shard);

/// The same with files; `read_file` gets the path of each shard.
StateDict read_shard_files(
    const std::filesystem::path& index,
    const std::function<StateDict(const std::filesystem::path& shard)>& read_file);

}  // namespace vit
