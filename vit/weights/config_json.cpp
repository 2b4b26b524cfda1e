#include <numeric>
#include <system_error>

#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/json.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/mapped_file.h>

namespace vit {
namespace {

namespace fs = std::filesystem;

ModelConfig read_any_config(const JsonNode& root, const MappedFile* preprocessor) {
  const Layout& layout = layout_of_config(root);
  auto config = layout.read_config(root);
  if (preprocessor && &layout == &kHuggingfaceLayout) {
    const std::string where = preprocessor->path().string();
    const auto document = parse_json(preprocessor->text(), where);
    read_huggingface_preprocessor(JsonNode(document, where), config);
  }
  return config;
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

ModelConfig read_config(const fs::path& path) {
  const auto beside = path.parent_path() / "preprocessor_config.json";
  std::error_code error;
  const auto preprocessor = fs::exists(beside, error) ? MappedFile::open(beside) : nullptr;
  return read_config(*MappedFile::open(path), preprocessor.get());
}

ModelConfig read_config(const MappedFile& file, const MappedFile* preprocessor) {
  const std::string where = file.path().string();
  const auto document = parse_json(file.text(), where);
  auto config = read_any_config(JsonNode(document, where), preprocessor);
  PicturePreprocessing& preprocessing = config.vit.picture();
  average_for_channels(preprocessing.mean, config.vit.input.channels);
  average_for_channels(preprocessing.std, config.vit.input.channels);
  try {
    config.vit.validate();
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
  return config;
}

}  // namespace vit
