#include <string_view>

#include <vit/error.h>
#include <vit/weights/files/npz.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors_format.h>
#include <vit/weights/files/shard_index.h>
#include <vit/weights/files/torch_file.h>
#include <vit/weights/files/zip.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/text.h>

namespace vit {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail_unknown(const std::string& where, std::string_view text) {
  if (text.empty()) fail(where, ": the file is empty");
  if (text.starts_with("version https://git-lfs"))
    fail(where, ": a pointer of Git LFS, not the weights themselves; run git lfs pull");
  if (text.starts_with("\x93NUMPY"))
    fail(where, ": a single NumPy array; weights come as an archive of them (.npz)");
  if (text.starts_with('<')) fail(where, ": a web page, not weights; download the file itself");
  if (text.starts_with("\x89HDF"))
    fail(where, ": an HDF5 file (Keras, h5py); save the weights as safetensors");
  if (text.starts_with("GGUF"))
    fail(where, ": a GGUF file, of quantised weights; take those it was made of");
  fail(where, ": neither safetensors nor a PyTorch checkpoint nor a NumPy archive");
}

/// Names that the safetensors format would not take either.
StateDict checked_names(StateDict tensors, const std::string& where) {
  for (const auto& [name, tensor] : tensors)
    if (!is_utf8(name))
      fail(where, ": a tensor has a name of ", name.size(), " bytes that are not UTF-8");
  return tensors;
}

}  // namespace

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
    return checked_names(is_npz(archive) ? read_npz(archive) : read_torch_zip(archive),
                         path.string());
  }
  if (is_torch_legacy(text)) return checked_names(read_torch_legacy(file), path.string());
  fail_unknown(path.string(), text);
}

}  // namespace vit
