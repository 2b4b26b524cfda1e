#include <base/shard_index.h>
#include <vit/error.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/files/shard_index.h>
#include <vit/weights/text.h>

namespace vit {

namespace fs = std::filesystem;

StateDict read_shards(const MappedFile& index, const ShardReader& read_shard) {
  const std::string where = index.path().string();
  StateDict tensors;
  for (const auto& [shard, listed] : base::parse_shard_index(index.text(), index.path())) {
    auto found = read_shard(shard);
    for (const auto& name : listed)
      if (!found.contains(name))
        fail(where, ": lists tensor ", in_quotes(name), " in ", shard, ", which does not have it");
    for (const auto& [name, tensor] : found)
      if (!listed.contains(name))
        fail(where, ": does not list tensor ", in_quotes(name), " of ", shard, " there");
    tensors.merge(found);
  }
  return tensors;
}

StateDict read_shard_files(const fs::path& index,
                           const std::function<StateDict(const fs::path& shard)>& read_file) {
  return read_shards(*MappedFile::open(index), [&](const std::string& name) {
    const auto shard = index.parent_path() / name;
    std::error_code error;
    if (!fs::exists(shard, error))
      fail(index.string(), ": the shard ", in_quotes(name),
           " is missing; is the download complete?");
    return read_file(shard);
  });
}

StateDict read_safetensors_index(const fs::path& index) {
  return read_shard_files(index, [](const fs::path& shard) { return read_safetensors(shard); });
}

}  // namespace vit
