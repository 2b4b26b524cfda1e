#include "data/endings.h"

#include <system_error>

#include <media/image.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;

std::optional<fs::path> Endings::find(const fs::path& name) {
  std::error_code ignored;
  if (media::is_picture_name(name) || fs::exists(name, ignored)) return name;
  const Names& names = pictures_in(name.parent_path());
  const auto found = names.find(name.filename().string());
  if (found == names.end()) return std::nullopt;
  if (found->second.size() == 1) return found->second.front();
  std::optional<fs::path> readable;
  for (const fs::path& path : found->second) {
    if (!media::is_image_file_name(path)) continue;
    if (readable) return std::nullopt;
    readable = path;
  }
  return readable;
}

const Endings::Names& Endings::pictures_in(const fs::path& folder) {
  const auto [place, is_new] = folders_.try_emplace(folder);
  if (!is_new) return place->second;
  std::error_code fault;
  fs::directory_iterator entry(folder.empty() ? "." : folder, fault);
  for (; !fault && entry != fs::directory_iterator(); entry.increment(fault)) {
    const fs::path name = entry->path().filename();
    if (media::is_picture_name(name)) place->second[name.stem().string()].push_back(folder / name);
  }
  return place->second;
}

}  // namespace data
