#include <algorithm>

#include <base/json.h>
#include <base/shard_index.h>
#include <base/text.h>

namespace base {
namespace {

/// What the names of the shards end in: "pytorch_model.bin.index.json" lists .bin files.
std::string shard_extension(const std::filesystem::path& index) {
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

ShardIndex parse_shard_index(std::string_view text, const std::filesystem::path& index) {
  const std::string where = index.string();
  const std::string extension = shard_extension(index);
  const auto document = parse_json(text, where);
  ShardIndex shards;
  for (const auto& [tensor, node] : JsonNode(document, where).at("weight_map").members())
    shards[shard_name(node, extension)].insert(tensor);
  return shards;
}

}  // namespace base
