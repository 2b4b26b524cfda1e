#include <utility>

#include <base/error.h>
#include <data/forms.h>
#include <data/parts.h>
#include <media/failure.h>
#include <media/image.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;
namespace {

class PictureFiles : public Dataset {
 public:
  PictureFiles(Classified entries, vit::Transparency transparency)
      : Dataset(std::move(entries.entries), std::move(entries.class_names), entries.multi_label),
        transparency_(transparency) {}

  at::Tensor read(int64_t index) const override {
    const std::string& path = entry(index).name;
    try {
      return media::read_image(path, transparency_);
    } catch (...) {
      base::fail(media::failure_text(path));
    }
  }

 private:
  vit::Transparency transparency_;
};

}  // namespace

std::unique_ptr<Dataset> picture_files(Classified entries, vit::Transparency transparency) {
  return std::make_unique<PictureFiles>(std::move(entries), transparency);
}

std::unique_ptr<Dataset> open_folder(const Listing& listing, const OpenOptions& options) {
  const std::string where = listing.folder.string();
  if (listing.folders.empty())
    base::fail(
        where, ": ", listing.pictures > 0 ? "pictures, but no folders" : "no folders of pictures",
        "; expected a folder of pictures for each class, a .csv or .tsv list, or .tar shards");
  check_parts(listing, options);
  LeftOut beside;
  if (listing.pictures > 0) beside.add(std::to_string(listing.pictures) + " of " + where);

  std::vector<Labelled> labelled;
  LeftOut empty, unlisted;
  for (const fs::path& of_class : listing.folders)
    for (const media::Source& source : media::find_sources(of_class))
      if (source.error.empty())
        labelled.push_back({source.path.string(), {of_class.filename().string()}});
      else if (source.is_empty_folder)
        empty.add(of_class.filename().string());
      else
        unlisted.add(source.error);
  if (labelled.empty()) base::fail(where, ": no picture in any of its folders");
  beside.report(where, "pictures beside the folders of classes", options);
  empty.report(where, "folders without pictures", options);
  unlisted.report(where, "folders that cannot be listed", options);
  return picture_files(classified(std::move(labelled), false, where, options),
                       options.transparency);
}

}  // namespace data
