#include <system_error>

#include <base/error.h>
#include <data/dataset.h>
#include <data/forms.h>
#include <data/patterns.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;
namespace {

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
  const Listing listing = list_folder(folder);
  if (listing.shards.empty()) return open_folder(listing, options);
  if (!listing.folders.empty())
    base::fail(folder.string(),
               ": has folders and .tar files; name the shards by a pattern such as ",
               (folder / "*.tar").string());
  return open_shards(listing.shards, folder.string(), options);
}

}  // namespace

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
