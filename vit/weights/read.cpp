#include <string_view>

#include <vit/error.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/read.h>
#include <vit/weights/safetensors.h>

namespace vit {

StateDict read_weights(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".json")) return read_safetensors_index(path);
  if (name.ends_with(".safetensors")) return read_safetensors(path);

  const auto file = MappedFile::open(path);
  const std::string_view text = file->text();
  if (text.starts_with("PK"))
    fail(path.string(), ": a ", name.ends_with(".npz") ? "NumPy archive" : "PyTorch checkpoint",
         ", which is not supported; convert it to safetensors");
  if (text.starts_with("\x80"))
    fail(path.string(),
         ": a pickled PyTorch checkpoint, which is not supported; convert it to safetensors");
  return read_safetensors(path);
}

}  // namespace vit
