#include <numeric>
#include <utility>

#include <vit/weights/layouts/huggingface_processor.h>
#include <vit/weights/layouts/presets.h>

namespace vit {
namespace {

void set_statistics(VitConfig& config, std::vector<double> mean, std::vector<double> std) {
  config.picture().mean = std::move(mean);
  config.picture().std = std::move(std);
  average_statistics(config);
}

}  // namespace

void average_statistics(VitConfig& config) {
  constexpr size_t kColours = 3;
  const int64_t channels = config.input.channels;
  for (auto* values : {&config.picture().mean, &config.picture().std})
    if (values->size() == kColours && channels != kColours && channels > 0 && channels <= 4096)
      values->assign(static_cast<size_t>(channels),
                     std::accumulate(values->begin(), values->end(), 0.0) / kColours);
}

void prepare_as_imagenet(VitConfig& config, Interpolation interpolation, double crop_pct) {
  config.picture() = {
      .input_size = config.image_size(), .interpolation = interpolation, .crop_pct = crop_pct};
  set_statistics(config, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225});
}

void prepare_as_clip(VitConfig& config) {
  config.picture() = {.input_size = config.image_size(), .crop_pct = 1.0};
  set_statistics(config, {0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711});
}

void prepare_as_huggingface(VitConfig& config, const std::string& type) {
  config.picture() = huggingface_preprocessing(type, config.image_size(), config.patch.size());
  if (config.input.normalized_inside) set_statistics(config, {0, 0, 0}, {1, 1, 1});
  average_statistics(config);
}

void prepare_as_torchvision(VitConfig& config) {
  constexpr int64_t kHuge = 1280, kLarge = 1024;
  const bool base_size = config.image_size() == Size2d{224, 224};
  const int64_t dim = config.embed_dim(), side = config.image_size().height;
  // SWAG's are all that there is of the huge model, and of 384 and 512 pixels.
  if (dim == kHuge || side == 384 || side == 512)
    prepare_as_imagenet(config, Interpolation::bicubic, 1.0);
  else if (dim == kLarge && config.patch.size() == Size2d{16, 16} && base_size)
    prepare_as_imagenet(config, Interpolation::bilinear, 224.0 / 242.0);
  else
    prepare_as_imagenet(config, Interpolation::bilinear, 0.875);
}

}  // namespace vit
