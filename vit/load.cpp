#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include <vit/architectures.h>
#include <vit/error.h>
#include <vit/imagenet_labels.h>
#include <vit/load.h>
#include <vit/weights/assign.h>
#include <vit/weights/config_json.h>
#include <vit/weights/fit.h>
#include <vit/weights/infer.h>
#include <vit/weights/layouts.h>
#include <vit/weights/read.h>
#include <vit/weights/wrappers.h>

namespace vit {
namespace {

namespace fs = std::filesystem;

/// The config of a checkpoint: the architecture that the user names, else the config.json, else
/// what the shapes say. `weights` have timm's names, `layout` is what they had.
ModelConfig find_config(const fs::path& config_file, const StateDict& weights, Layout layout,
                        const LoadOptions& options, const std::string& where) {
  if (!options.architecture.empty()) {
    auto config = architecture(options.architecture);
    // The number of classes belongs to the checkpoint, not to the architecture.
    const auto head = weights.find("head.weight");
    config.vit.num_classes =
        head != weights.end() && head->second.dim() == 2 ? head->second.size(0) : 0;
    return config;
  }
  if (fs::exists(config_file)) return read_config(config_file);
  auto config = infer_config(weights, where);
  apply_layout_defaults(layout, config.vit);
  return config;
}

}  // namespace

VisionTransformer load(const fs::path& path, const LoadOptions& options) {
  if (!fs::exists(path))
    fail(path.string(),
         ": there is no such file or folder; expected a folder with config.json and "
         "model.safetensors, or a weights file");
  const auto file = find_weights(path);
  const std::string where = file.string();
  const auto stored = without_wrapper_prefixes(read_weights(file));
  const auto layout = detect_layout(stored);
  const auto weights = to_timm_layout(stored, layout, where);

  auto config = find_config(file.parent_path() / "config.json", weights, layout, options, where);
  check_config_fits(config.vit, weights, where);
  const auto wanted_size = options.image_size.value_or(config.vit.image_size);
  // The model is built for the size of its position table and resampled from there.
  config.vit.image_size = image_size_of_weights(config.vit, weights, where);
  config.preprocessing.input_size = config.vit.image_size;
  if (config.labels.empty() &&
      config.vit.num_classes == static_cast<int64_t>(imagenet1k_labels().size()))
    config.labels = imagenet1k_labels();

  VisionTransformer model(std::move(config));
  assign_weights(*model, weights, options, where);
  model->set_image_size(wanted_size);
  model->eval();
  return model;
}

VisionTransformer create(const std::string& architecture, const LoadOptions& options,
                         uint64_t seed) {
  auto config = vit::architecture(architecture);
  if (options.image_size) config.vit.image_size = *options.image_size;
  config.preprocessing.input_size = config.vit.image_size;
  VisionTransformer model(std::move(config));
  model->init_weights(seed);
  model->to(options.device, options.dtype);
  model->eval();
  return model;
}

}  // namespace vit
