#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace base {

/// The files that weights are spread over, by name, and the tensors that the index lists in each.
using ShardIndex = std::map<std::string, std::set<std::string>>;

/// Reads the text of an index of weights ("model.safetensors.index.json",
/// "pytorch_model.bin.index.json"). All files are of the kind that the name of the index says.
/// Throws Error that begins with `index` if it is malformed or names anything but files that lie
/// beside it.
ShardIndex parse_shard_index(std::string_view text, const std::filesystem::path& index);

}  // namespace base
