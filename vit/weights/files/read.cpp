#include <algorithm>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

#include <vit/error.h>
#include <vit/weights/files/npz.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors_format.h>
#include <vit/weights/files/shard_index.h>
#include <vit/weights/files/torch_file.h>
#include <vit/weights/files/zip.h>
#include <vit/weights/mapped_file.h>

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
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status))
    fail(path.string(),
         ": there is no such file or folder; expected a folder with config.json and "
         "model.safetensors, or a weights file");
  if (!fs::is_directory(status)) return path;
  constexpr const char* kUsual[] = {"model.safetensors",           "model.safetensors.index.json",
                                    "pytorch_model.bin",           "pytorch_model.bin.index.json",
                                    "open_clip_model.safetensors", "open_clip_pytorch_model.bin"};
  for (const char* name : kUsual)
    if (fs::exists(path / name, error)) return path / name;

  constexpr std::string_view kExtensions[] = {".safetensors", ".pth",  ".pt",
                                              ".bin",         ".ckpt", ".npz"};
  std::vector<fs::path> others;
  for (auto entry = fs::directory_iterator(path, error);
       !error && entry != fs::directory_iterator(); entry.increment(error))
    if (std::count(std::begin(kExtensions), std::end(kExtensions),
                   entry->path().extension().string()))
      others.push_back(entry->path());
  if (error) fail(path.string(), ": the folder cannot be read: ", error.message());
  if (others.size() == 1) return others.front();
  fail(path.string(), ": no weights: looked for ", kUsual[0], ", ", kUsual[1], ", ", kUsual[2],
       ", ", kUsual[3],
       others.empty() ? " or another .safetensors, .pth, .pt, .bin, .ckpt or .npz file"
                      : " and found several files of other names; name one of them");
}

StateDict read_weights(const fs::path& path) {
  if (path.extension() == ".json")
    return read_shard_files(path, [](const fs::path& shard) { return read_weights(shard); });
  return read_weights(MappedFile::open(path));
}

StateDict read_weights(const std::shared_ptr<MappedFile>& file) {
  const auto& path = file->path();
  const std::string_view text = file->text();
  constexpr size_t kSafetensorsBrace = 8;  // its header begins behind its length
  if (path.extension() == ".safetensors" ||
      (text.size() > kSafetensorsBrace && text[kSafetensorsBrace] == '{'))
    return read_safetensors(file);
  if (text.starts_with("PK")) {
    const ZipArchive archive(file);
    return is_npz(archive, path) ? read_npz(archive) : read_torch_zip(archive);
  }
  if (is_torch_legacy(text)) return read_torch_legacy(file);
  fail_unknown(path.string(), text);
}

}  // namespace vit
