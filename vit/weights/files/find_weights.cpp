#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

#include <vit/error.h>
#include <vit/weights/files/npz.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors_format.h>
#include <vit/weights/files/torch_file.h>
#include <vit/weights/files/zip.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/text.h>

namespace vit {

namespace fs = std::filesystem;

namespace {

constexpr const char* kUsual[] = {"model.safetensors",           "model.safetensors.index.json",
                                  "pytorch_model.bin",           "pytorch_model.bin.index.json",
                                  "open_clip_model.safetensors", "open_clip_pytorch_model.bin"};

constexpr std::string_view kEndings[] = {".safetensors", ".pth",    ".pt",       ".bin", ".ckpt",
                                         ".pth.tar",     ".pt.tar", ".ckpt.tar", ".npz"};
constexpr std::string_view kIndexEndings[] = {".safetensors.index.json", ".bin.index.json"};

// What training code puts beside the weights.
constexpr std::string_view kOfTraining[] = {"optimizer", "scheduler",     "scaler",
                                            "rng_state", "training_args", "random_states"};

template <std::size_t N>
bool ends_with_any(std::string_view name, const std::string_view (&endings)[N]) {
  return std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); });
}

bool is_of_training(std::string_view name) {
  return std::ranges::any_of(kOfTraining, [&](auto start) { return name.starts_with(start); });
}

bool has_contents_of_weights(const fs::path& path) {
  try {
    const auto file = MappedFile::open(path);
    const std::string_view text = file->text();
    uint64_t header = 0;
    constexpr size_t kBrace = sizeof(header);
    if (text.size() > kBrace && text[kBrace] == '{') {
      std::memcpy(&header, text.data(), sizeof(header));
      return header <= uint64_t{kSafetensorsMaxHeader} && header <= text.size() - kBrace;
    }
    if (text.starts_with("PK")) {
      const ZipArchive archive(file);
      return is_npz(archive) || std::ranges::any_of(archive.entries(), [](const auto& item) {
               return item.first.ends_with("/data.pkl");
             });
    }
    return has_torch_magic(text);
  } catch (const Error&) {
    return false;  // whatever it is
  }
}

/// Some of the names, in order.
std::string list(std::vector<fs::path> files) {
  std::ranges::sort(files);
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < files.size() && i < kShown; ++i)
    text += (i ? ", " : "") + shortened(files[i].filename().string());
  return files.size() > kShown ? text + ", …" : text;
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
  for (const char* name : kUsual)
    if (fs::exists(path / name, error)) return path / name;

  std::vector<fs::path> named, indices, others;
  for (auto entry = fs::directory_iterator(path, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code unreadable;
    if (!entry->is_regular_file(unreadable) || name.starts_with('.') || is_of_training(name))
      continue;
    if (ends_with_any(name, kIndexEndings))
      indices.push_back(entry->path());
    else
      (ends_with_any(name, kEndings) ? named : others).push_back(entry->path());
  }
  if (error) fail(path.string(), ": the folder cannot be read: ", error.message());
  if (indices.size() == 1) return indices.front();
  if (named.empty())
    std::ranges::copy_if(others, std::back_inserter(named), has_contents_of_weights);
  if (named.size() == 1) return named.front();
  fail(path.string(), ": no weights: looked for ", kUsual[0], ", ", kUsual[1], ", ", kUsual[2],
       ", ", kUsual[3],
       named.empty() ? " or another .safetensors, .pth, .pt, .bin, .ckpt, .pth.tar or .npz file"
                     : " and found several files of other names; name one of them: " + list(named));
}

}  // namespace vit
