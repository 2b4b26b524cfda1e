#include <set>

#include <vit/error.h>
#include <vit/weights/json.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/safetensors.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// A shard name comes from a downloaded file: it may not lead anywhere but beside the index.
std::string shard_name(const JsonNode& node) {
  const std::string& name = node.string();
  if (name.find_first_of("/\\") != name.npos || !name.ends_with(".safetensors") ||
      name.starts_with('.'))
    node.fail("\"", shortened(name),
              "\" is not the name of a .safetensors file in the folder of the index");
  return name;
}

}  // namespace

StateDict read_safetensors_index(const std::filesystem::path& index) {
  const std::string where = index.string();
  const auto file = MappedFile::open(index);
  const auto document = parse_json(file->text(), where);

  std::map<std::string, std::set<std::string>> shards;  // shard -> tensors the index lists in it
  for (const auto& [tensor, node] : JsonNode(document, where).at("weight_map").members())
    shards[shard_name(node)].insert(tensor);

  StateDict tensors;
  for (const auto& [shard, listed] : shards) {
    const auto path = index.parent_path() / shard;
    if (!std::filesystem::exists(path))
      fail(where, ": the shard ", shard, " is missing; is the download complete?");
    auto found = read_safetensors(path);
    for (const auto& name : listed)
      if (!found.contains(name))
        fail(where, ": lists tensor \"", shortened(name), "\" in ", shard,
             ", which does not have it");
    for (const auto& [name, tensor] : found)
      if (!listed.contains(name))
        fail(where, ": does not list tensor \"", shortened(name), "\" of ", shard, " there");
    tensors.merge(found);
  }
  return tensors;
}

}  // namespace vit
