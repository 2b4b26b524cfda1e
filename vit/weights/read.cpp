#include <string_view>
#include <vector>

#include <vit/error.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/npz.h>
#include <vit/weights/read.h>
#include <vit/weights/safetensors.h>
#include <vit/weights/torch_file.h>
#include <vit/weights/zip.h>

namespace vit {

namespace fs = std::filesystem;

namespace {

bool is_npz(const ZipArchive& archive, const std::filesystem::path& path) {
  if (path.extension() == ".npz") return true;
  for (const auto& [name, entry] : archive.entries())
    if (!name.ends_with(".npy")) return false;
  return !archive.entries().empty();
}

[[noreturn]] void fail_unknown(const std::string& where, std::string_view text) {
  if (text.empty()) fail(where, ": the file is empty");
  if (text.starts_with("version https://git-lfs"))
    fail(where, ": a pointer of Git LFS, not the weights themselves; run git lfs pull");
  if (text.starts_with("\x93NUMPY"))
    fail(where, ": a single NumPy array; weights come as an archive of them (.npz)");
  if (text.starts_with('<')) fail(where, ": a web page, not weights; download the file itself");
  fail(where, ": neither safetensors nor a PyTorch checkpoint nor a NumPy archive");
}

}  // namespace

fs::path find_weights(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const char* name : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                           "open_clip_model.safetensors", "open_clip_pytorch_model.bin"})
    if (fs::exists(path / name)) return path / name;

  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(path))
    for (const char* extension : {".safetensors", ".pth", ".pt", ".bin", ".npz"})
      if (entry.path().extension() == extension) others.push_back(entry.path());
  if (others.size() == 1) return others.front();
  fail(path.string(),
       ": no weights: looked for model.safetensors, model.safetensors.index.json, "
       "pytorch_model.bin ",
       others.empty() ? "or another .safetensors, .pth, .pt, .bin or .npz file"
                      : "and found several files of other names; name one of them");
}

StateDict read_weights(const std::filesystem::path& path) {
  if (path.extension() == ".json") return read_safetensors_index(path);
  if (path.extension() == ".safetensors") return read_safetensors(path);

  const auto file = MappedFile::open(path);
  const std::string_view text = file->text();
  constexpr size_t kSafetensorsBrace = 8;  // its header begins behind its length
  if (text.size() > kSafetensorsBrace && text[kSafetensorsBrace] == '{')
    return read_safetensors(path);
  if (text.starts_with("PK")) {
    const ZipArchive archive(file);
    return is_npz(archive, path) ? read_npz(archive) : read_torch_zip(archive);
  }
  if (text.starts_with("\x80")) return read_torch_legacy(file);
  fail_unknown(path.string(), text);
}

}  // namespace vit
