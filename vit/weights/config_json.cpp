#include <system_error>

#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/json.h>
#include <vit/weights/layouts/huggingface_processor.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/mapped_file.h>

namespace vit {
namespace {

namespace fs = std::filesystem;

/// What the image processor of the transformers library wrote into a file: newer versions make it a
/// part of processor_config.json, whose other parts are no concern of ours.
void read_processor(const MappedFile& file, ModelConfig& config) {
  const std::string where = file.path().string();
  const auto document = parse_json(file.text(), where);
  const JsonNode root(document, where);
  read_huggingface_processor(root.find("image_processor").value_or(root), config);
}

ModelConfig read_any_config(const JsonNode& root, const MappedFile* preprocessor) {
  const Layout& layout = layout_of_config(root);
  auto config = layout.read_config(root);
  if (&layout != &kHuggingfaceLayout) return config;
  if (preprocessor)
    read_processor(*preprocessor, config);
  else
    config.assumed.push_back(
        "no preprocessor_config.json says how pictures are prepared: as by default for such a "
        "model assumed");
  return config;
}

/// The file beside a config.json that says how pictures are prepared. A processor_config.json
/// counts if it speaks of pictures, and then it wins.
auto preprocessor_beside(const fs::path& config) {
  std::error_code error;
  const auto nested = config.parent_path() / "processor_config.json";
  if (fs::exists(nested, error)) {
    auto file = MappedFile::open(nested);
    const auto document = parse_json(file->text(), nested.string());
    if (JsonNode(document, nested.string()).find("image_processor")) return file;
  }
  const auto beside = config.parent_path() / "preprocessor_config.json";
  return fs::exists(beside, error) ? MappedFile::open(beside) : nullptr;
}

}  // namespace

ModelConfig read_config(const fs::path& path) {
  const auto preprocessor = preprocessor_beside(path);
  return read_config(*MappedFile::open(path), preprocessor.get());
}

ModelConfig read_config(const MappedFile& file, const MappedFile* preprocessor) {
  const std::string where = file.path().string();
  const auto document = parse_json(file.text(), where);
  auto config = read_any_config(JsonNode(document, where), preprocessor);
  average_statistics(config.vit);
  try {
    config.vit.validate();
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
  return config;
}

}  // namespace vit
