#include <algorithm>
#include <set>

#include <vit/error.h>
#include <vit/weights/json.h>
#include <vit/weights/safetensors.h>
#include <vit/weights/shard_index.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

namespace fs = std::filesystem;

/// What the names of the shards end in: "pytorch_model.bin.index.json" lists .bin files.
std::string shard_extension(const fs::path& index) {
  const auto extension = index.stem().stem().extension();  // in front of ".index.json"
  for (const char* known : {".bin", ".pth", ".pt"})
    if (extension == known) return known;
  return ".safetensors";
}

// A shard name comes from a downloaded file: it may not lead anywhere but beside the index.
std::string shard_name(const JsonNode& node, const std::string& extension) {
  const std::string& name = node.string();
  const auto forbidden = [](unsigned char c) { return c == '/' || c == '\\' || c < ' '; };
  if (std::any_of(name.begin(), name.end(), forbidden) || !name.ends_with(extension) ||
      name.starts_with('.'))
    node.fail(in_quotes(name), " is not the name of a ", extension,
              " file in the folder of the index");
  return name;
}

}  // namespace

StateDict read_shards(const MappedFile& index, const ShardReader& read_shard) {
  const std::string where = index.path().string();
  const std::string extension = shard_extension(index.path());
  const auto document = parse_json(index.text(), where);

  std::map<std::string, std::set<std::string>> shards;  // shard -> tensors the index lists in it
  for (const auto& [tensor, node] : JsonNode(document, where).at("weight_map").members())
    shards[shard_name(node, extension)].insert(tensor);

  StateDict tensors;
  for (const auto& [shard, listed] : shards) {
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
