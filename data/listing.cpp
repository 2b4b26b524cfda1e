#include "data/listing.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <system_error>

#include <base/error.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;

bool has_extension(const fs::path& path, std::string_view extension) {
  std::string text = path.extension().string();
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text == extension;
}

bool is_tar(const fs::path& path) {
  const std::string name = path.filename().string();
  return has_extension(name, ".tar") || has_extension(name, ".tgz") ||
         has_extension(fs::path(name).stem(), ".tar");
}

Listing list_folder(const fs::path& folder) {
  Listing listing;
  listing.folder = folder;
  std::error_code fault;
  fs::directory_iterator entry(folder, fault);
  for (; !fault && entry != fs::directory_iterator(); entry.increment(fault)) {
    std::error_code ignored;
    if (entry->path().filename().string().starts_with('.')) continue;
    if (entry->is_directory(ignored))
      listing.folders.push_back(entry->path());
    else if (is_tar(entry->path()))
      listing.shards.push_back(entry->path());
    else if (media::is_picture_name(entry->path()))
      ++listing.pictures;
  }
  if (fault) base::fail(folder.string(), ": cannot list the folder: ", fault.message());
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.shards.begin(), listing.shards.end());
  return listing;
}

}  // namespace data
