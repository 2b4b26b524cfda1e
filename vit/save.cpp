#include <fstream>
#include <system_error>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/save.h>
#include <vit/weights/safetensors.h>
#include <vit/weights/timm_config_writer.h>

namespace vit {
namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& path, const std::string& text) {
  const fs::path partial = path.string() + ".partial";
  std::ofstream file(partial, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file) fs::rename(partial, path, error);
  if (!file || error) {
    fs::remove(partial, error);
    fail(path.string(), ": cannot be written; is there space, and may this user write there?");
  }
}

}  // namespace

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

  ModelConfig config{model->config(), model->preprocessing(), model->labels()};
  write_text(folder / "config.json", timm_config_text(config));
}

}  // namespace vit
