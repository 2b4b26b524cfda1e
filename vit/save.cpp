#include <system_error>

#include <ATen/ATen.h>

#include <base/temporary_file.h>
#include <vit/error.h>
#include <vit/save.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/layouts/timm_writer.h>

namespace vit {
namespace fs = std::filesystem;

void save(const VisionTransformer& model, const fs::path& folder, at::ScalarType dtype) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(folder.string(), ": cannot be made: ", error.message());

  at::NoGradGuard no_grad;
  StateDict weights;
  for (const auto& entry : model->named_parameters()) weights[entry.key()] = entry.value();
  for (const auto& entry : model->named_buffers()) weights[entry.key()] = entry.value();
  for (auto& [name, tensor] : weights) tensor = tensor.detach().to(dtype);
  write_safetensors(folder / "model.safetensors", weights, {{"format", "pt"}});

  const ModelConfig config{model->config(), model->labels()};
  const std::string text = timm_config_text(config);
  base::replace_file(folder / "config.json", text);
}

}  // namespace vit
