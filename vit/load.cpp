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

/// Makes a model with its weights ready to be used.
void finish(VisionTransformer& model, const LoadOptions& options) {
  model->eval();
  for (auto& parameter : model->parameters()) parameter.requires_grad_(false);
  model->set_int8(options.int8);
}

/// OpenCLIP's weights have a config of another name, beside which there may be a config.json that
/// describes the same model in another library's files.
fs::path config_file(const fs::path& folder, Layout layout) {
  const auto open_clip = folder / "open_clip_config.json";
  const auto config = folder / "config.json";
  return fs::exists(open_clip) && (layout == Layout::open_clip || !fs::exists(config)) ? open_clip
                                                                                       : config;
}

/// OpenCLIP gives the final norm the same name on either side of the pooling, timm does not.
void name_norm_by_place(const VitConfig& config, Layout layout, StateDict& weights) {
  if (layout != Layout::open_clip || !config.fc_norm) return;
  for (const std::string part : {"weight", "bias"})
    if (auto norm = weights.extract("norm." + part)) {
      norm.key() = "fc_norm." + part;
      weights.insert(std::move(norm));
    }
}

/// The config of a checkpoint: the architecture that the user names, else the config.json, else
/// what the shapes say. `weights` have timm's names, `stored` those of the file.
ModelConfig find_config(const fs::path& config_file, const StateDict& weights,
                        const StateDict& stored, Layout layout, const LoadOptions& options,
                        const std::string& where) {
  if (!options.architecture.empty()) {
    auto config = architecture(options.architecture);
    // The number of classes belongs to the checkpoint, not to the architecture.
    const auto head = weights.find("head.weight");
    config.vit.num_classes =
        head != weights.end() && head->second.dim() == 2 ? head->second.size(0) : 0;
    return config;
  }
  if (fs::exists(config_file)) return read_config(config_file);
  auto config = infer_config(weights, where, options.image_size);
  apply_layout_defaults(layout, stored, config.vit);
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
  auto weights = to_timm_layout(stored, layout, where);

  auto config =
      find_config(config_file(file.parent_path(), layout), weights, stored, layout, options, where);
  name_norm_by_place(config.vit, layout, weights);
  check_config_fits(config.vit, weights, where);
  const auto wanted_size = options.image_size.value_or(config.vit.image_size);
  // The model is built for the size of its position table and resampled from there.
  config.vit.image_size = image_size_of_weights(config.vit, wanted_size, weights, where);
  config.preprocessing.input_size = config.vit.image_size;
  if (config.labels.empty()) config.labels = imagenet_labels(config.vit.num_classes);

  VisionTransformer model(std::move(config));
  assign_weights(*model, weights, options, where);
  model->set_image_size(wanted_size);
  finish(model, options);
  return model;
}

VisionTransformer create(const std::string& architecture, const LoadOptions& options,
                         uint64_t seed) {
  auto config = vit::architecture(architecture);
  if (options.image_size && *options.image_size != config.vit.image_size) {
    config.vit.check_covers(*options.image_size);
    config.vit.image_size = *options.image_size;
  }
  config.preprocessing.input_size = config.vit.image_size;
  VisionTransformer model(std::move(config));
  model->init_weights(seed);
  model->to(options.device, options.dtype);
  finish(model, options);
  return model;
}

}  // namespace vit
