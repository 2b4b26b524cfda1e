#include <system_error>

#include <ATen/ATen.h>

#include <base/temporary_file.h>
#include <vit/error.h>
#include <vit/precision.h>
#include <vit/save.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/layouts/timm_model.h>
#include <vit/weights/layouts/timm_state_dict.h>
#include <vit/weights/layouts/timm_writer.h>
#include <vit/weights/not_finite.h>
#include <vit/weights/text.h>

namespace vit {
namespace fs = std::filesystem;

void save(const VisionTransformer& model, const fs::path& folder, at::ScalarType dtype) {
  at::NoGradGuard no_grad;
  StateDict weights;
  for (const auto& entry : model->named_parameters()) weights[entry.key()] = entry.value();
  for (const auto& entry : model->named_buffers()) weights[entry.key()] = entry.value();
  const ModelConfig& config = model->model_config();
  weights = timm_state_dict(weights, config.vit, timm_model_of(config.vit).arguments);
  for (auto& [name, tensor] : weights) {
    const at::Tensor converted = tensor.detach().to(dtype);
    if (tensor.scalar_type() != dtype && !is_finite(converted) && is_finite(tensor))
      fail(folder.string(), ": ", in_quotes(name), " holds numbers that ", Precision{dtype}.name(),
           " cannot; save the model in another type");
    tensor = converted;
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(folder.string(), ": cannot be made: ", error.message());
  write_safetensors(folder / "model.safetensors", weights, {{"format", "pt"}});

  const std::string text = timm_config_text(config);
  base::replace_file(folder / "config.json", text);
}

}  // namespace vit
