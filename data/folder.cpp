#include <algorithm>
#include <system_error>
#include <utility>

#include <base/error.h>
#include <data/forms.h>
#include <media/failure.h>
#include <media/image.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;
namespace {

class PictureFiles : public Dataset {
 public:
  explicit PictureFiles(Classified entries)
      : Dataset(std::move(entries.entries), std::move(entries.class_names), entries.multi_label) {}

  at::Tensor read(int64_t index) const override {
    const std::string& path = entry(index).name;
    try {
      return media::read_image(path);
    } catch (...) {
      base::fail(media::failure_text(path));
    }
  }
};

struct Contents {
  std::vector<fs::path> folders;
  int64_t pictures = 0;
};

Contents list(const fs::path& folder) {
  Contents contents;
  std::error_code fault;
  fs::directory_iterator entry(folder, fault);
  for (; !fault && entry != fs::directory_iterator(); entry.increment(fault)) {
    std::error_code ignored;
    if (entry->path().filename().string().starts_with('.')) continue;
    if (entry->is_directory(ignored))
      contents.folders.push_back(entry->path());
    else if (media::is_image_file_name(entry->path()))
      ++contents.pictures;
  }
  if (fault) base::fail(folder.string(), ": cannot list the folder: ", fault.message());
  std::sort(contents.folders.begin(), contents.folders.end());
  return contents;
}

}  // namespace

std::unique_ptr<Dataset> picture_files(Classified entries) {
  return std::make_unique<PictureFiles>(std::move(entries));
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, const OpenOptions& options) {
  const Contents contents = list(folder);
  const std::string where = folder.string();
  if (contents.folders.empty())
    base::fail(
        where, ": ", contents.pictures > 0 ? "pictures, but no folders" : "no folders of pictures",
        "; expected a folder of pictures for each class, a .csv or .tsv list, or .tar shards");
  LeftOut beside;
  if (contents.pictures > 0) beside.add(std::to_string(contents.pictures) + " of " + where);

  std::vector<Labelled> labelled;
  LeftOut empty;
  for (const fs::path& of_class : contents.folders) {
    const std::size_t before = labelled.size();
    for (const media::Source& source : media::find_sources(of_class))
      if (source.error.empty())
        labelled.push_back({source.path.string(), {of_class.filename().string()}});
    if (labelled.size() == before) empty.add(of_class.filename().string());
  }
  if (labelled.empty()) base::fail(where, ": no picture in any of its folders");
  beside.report(where, "pictures beside the folders of classes", options);
  empty.report(where, "folders without readable pictures", options);
  return picture_files(classified(std::move(labelled), false, where, options));
}

}  // namespace data
