#include <algorithm>
#include <cctype>
#include <string_view>
#include <system_error>

#include <base/error.h>
#include <data/dataset.h>
#include <data/forms.h>
#include <data/patterns.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;
namespace {

// "a.tar", and the compressed ones, which are refused with advice when they are read.
bool is_tar(const fs::path& path) {
  const std::string name = path.filename().string();
  return has_extension(name, ".tar") || has_extension(name, ".tgz") ||
         has_extension(fs::path(name).stem(), ".tar");
}

// The shards that `pattern` stands for, in its order.
std::vector<fs::path> find_shards(const std::string& pattern) {
  std::vector<fs::path> shards;
  for (const std::string& name : expand_braces(pattern)) {
    for (const media::Source& source : media::expand_sources(name, is_tar)) {
      if (!source.error.empty()) base::fail(source.error);
      shards.push_back(source.path);
    }
  }
  return shards;
}

std::unique_ptr<Dataset> open_directory(const fs::path& folder, const OpenOptions& options) {
  std::vector<fs::path> shards;
  bool folders = false;
  std::error_code fault;
  fs::directory_iterator entry(folder, fault);
  for (; !fault && entry != fs::directory_iterator(); entry.increment(fault)) {
    std::error_code ignored;
    if (entry->path().filename().string().starts_with('.')) continue;
    if (entry->is_directory(ignored))
      folders = true;
    else if (is_tar(entry->path()))
      shards.push_back(entry->path());
  }
  if (fault) base::fail(folder.string(), ": cannot list the folder: ", fault.message());
  if (shards.empty()) return open_folder(folder, options);
  if (folders)
    base::fail(folder.string(),
               ": has folders and .tar files; name the shards by a pattern such as ",
               (folder / "*.tar").string());
  std::sort(shards.begin(), shards.end());
  return open_shards(shards, folder.string(), options);
}

}  // namespace

bool has_extension(const fs::path& path, std::string_view extension) {
  std::string text = path.extension().string();
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text == extension;
}

std::unique_ptr<Dataset> open_dataset(const std::string& path, const OpenOptions& options) {
  std::error_code fault;
  const fs::file_type type = fs::status(path, fault).type();
  if (type == fs::file_type::directory) return open_directory(path, options);
  const bool exists = fs::exists(fs::symlink_status(path, fault));
  if (is_tar(path) && (exists || path.find_first_of("{*?[") != path.npos))
    return open_shards(exists ? std::vector<fs::path>{path} : find_shards(path), path, options);
  if (type == fs::file_type::not_found) base::fail(path, ": no such file or folder");
  if (has_extension(path, ".csv") || has_extension(path, ".tsv")) return open_list(path, options);
  base::fail(path,
             ": not a data set; expected a folder with a folder of pictures for each class, a .csv "
             "or .tsv list of files and labels, or .tar shards");
}

}  // namespace data
