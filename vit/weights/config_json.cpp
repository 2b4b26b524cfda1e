#include <numeric>

#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/huggingface_config.h>
#include <vit/weights/json.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/open_clip_config.h>
#include <vit/weights/timm_config.h>
#include <vit/weights/torchvision_config.h>

namespace vit {
namespace {

/// Parses a file and hands its document to `read`.
template <typename Read>
auto with_document(const std::filesystem::path& path, Read read) {
  const auto file = MappedFile::open(path);
  const auto document = parse_json(file->text(), path.string());
  return read(JsonNode(document, path.string()));
}

// Every library that writes a config.json has its own layout.
ModelConfig read_any_config(const JsonNode& root, const std::filesystem::path& folder) {
  // The transformers library wraps timm's models in what timm writes itself.
  if (const auto type = root.find("model_type"); type && type->string() != "timm_wrapper") {
    auto config = read_huggingface_config(root);
    if (const auto path = folder / "preprocessor_config.json"; std::filesystem::exists(path))
      with_document(path,
                    [&](const JsonNode& node) { read_huggingface_preprocessor(node, config); });
    return config;
  }
  if (const auto library = root.find("library"); library && library->string() == "torchvision")
    return read_torchvision_config(root);
  if (root.find("model_cfg")) return read_open_clip_config(root);
  return read_timm_config(root);
}

/// Statistics of colours mean little to a model of other channels; as in timm, all of them get the
/// average.
void average_for_channels(std::vector<double>& colours, int64_t channels) {
  constexpr size_t kColours = 3;
  if (colours.size() != kColours || channels == kColours || channels > 4096) return;
  const double average = std::accumulate(colours.begin(), colours.end(), 0.0) / kColours;
  colours.assign(static_cast<size_t>(channels), average);
}

}  // namespace

ModelConfig read_config(const std::filesystem::path& path) {
  auto config = with_document(
      path, [&](const JsonNode& root) { return read_any_config(root, path.parent_path()); });
  average_for_channels(config.preprocessing.mean, config.vit.in_channels);
  average_for_channels(config.preprocessing.std, config.vit.in_channels);
  try {
    config.vit.validate();
    config.preprocessing.validate(config.vit.in_channels);
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  return config;
}

}  // namespace vit
