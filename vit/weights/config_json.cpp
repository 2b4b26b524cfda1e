#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/json.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/text.h>
#include <vit/weights/timm_config.h>

namespace vit {
namespace {

// Every library that writes a config.json has its own layout.
ModelConfig read_any_config(const JsonNode& root) {
  if (const auto type = root.find("model_type"))
    root.fail("a config of the transformers library (model_type \"", shortened(type->string()),
              "\") is not supported, expected one of timm with an \"architecture\"");
  return read_timm_config(root);
}

}  // namespace

ModelConfig read_config(const std::filesystem::path& path) {
  const std::string where = path.string();
  const auto file = MappedFile::open(path);
  const auto document = parse_json(file->text(), where);
  auto config = read_any_config(JsonNode(document, where));
  try {
    config.vit.validate();
    config.preprocessing.validate(config.vit.in_channels);
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
  return config;
}

}  // namespace vit
