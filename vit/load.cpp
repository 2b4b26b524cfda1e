#include <optional>
#include <system_error>

#include <base/model_source.h>
#include <vit/architectures.h>
#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/assign.h>
#include <vit/weights/checkpoint.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/read.h>

namespace vit {
namespace {

namespace fs = std::filesystem;

/// Makes a model with its weights ready to be used.
void finish(VisionTransformer& model, const LoadOptions& options) {
  model->eval();
  for (auto& parameter : model->parameters()) parameter.requires_grad_(false);
  model->set_int8(options.precision.int8);
}

void check_sizes(const LoadOptions& options) {
  if (options.image_size && options.max_patches)
    fail(base::Setting{"LoadOptions::image_size"}, " and ",
         base::Setting{"LoadOptions::max_patches"},
         " exclude each other: pictures are of one size or of any aspect");
}

/// The config beside the weights, if there is one. OpenCLIP's weights have one of another name,
/// beside which there may be a config.json that describes the same model in another library's
/// files.
std::optional<ModelConfig> config_beside(const fs::path& weights, const Layout& layout) {
  const auto open_clip = weights.parent_path() / "open_clip_config.json";
  const auto config = weights.parent_path() / "config.json";
  std::error_code error;
  const bool has_config = fs::exists(config, error);
  if (fs::exists(open_clip, error) && (&layout == &kOpenClipLayout || !has_config))
    return read_config(open_clip);
  return has_config ? std::optional(read_config(config)) : std::nullopt;
}

}  // namespace

VisionTransformer load(const fs::path& path, const LoadOptions& options) {
  check_sizes(options);
  const auto file = find_weights(base::find_model(path));
  const std::string where = file.string();
  auto checkpoint = resolve_checkpoint(
      read_weights(file), [&](const Layout& layout) { return config_beside(file, layout); },
      options, where);

  const auto unread_tensors = checkpoint.config.unread_tensors;
  VisionTransformer model(std::move(checkpoint.config));
  assign_weights(*model, std::move(checkpoint.weights), unread_tensors, checkpoint.new_head,
                 options, where);
  try {
    // Of a model that takes any size, pictures stay of any unless one is asked for.
    if (options.image_size || !(checkpoint.image_size == model->config().image_size()))
      model->set_image_size(checkpoint.image_size);
    if (options.max_patches) model->set_max_patches(*options.max_patches);
  } catch (const base::SettingError& error) {
    throw base::SettingError(where + ": " + error.what(), error.settings());
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
  finish(model, options);
  return model;
}

VisionTransformer create(const std::string& architecture, const LoadOptions& options,
                         uint64_t seed) {
  check_sizes(options);
  auto config = vit::architecture(architecture);
  VitConfig& c = config.vit;
  if (options.image_size && *options.image_size != c.image_size()) {
    c.check_covers(*options.image_size);
    c.set_image_size(*options.image_size);
  }
  if (options.max_patches) c.set_max_patches(*options.max_patches);
  if (options.num_classes && *options.num_classes != c.head.num_classes) {
    c.head.num_classes = *options.num_classes;
    config.labels.clear();
  }
  VisionTransformer model(std::move(config));
  model->to(options.device, options.precision.dtype);
  model->init_weights(seed);
  finish(model, options);
  return model;
}

}  // namespace vit
