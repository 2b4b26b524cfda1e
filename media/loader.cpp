#include "media/loader.h"

#include <utility>

#include <media/failure.h>
#include <media/preprocess.h>

namespace media {
namespace {

/// How pictures are to be made, if that can be done at all.
vit::PicturePreprocessing checked(vit::PicturePreprocessing how) {
  channels_of(how);
  return how;
}

}  // namespace

ImageLoader::ImageLoader(std::vector<Source> sources, vit::PicturePreprocessing how)
    : ImageLoader(std::move(sources), std::move(how), Options{}) {}

ImageLoader::ImageLoader(std::vector<Source> sources, vit::PicturePreprocessing how,
                         Options options)
    : sources_(std::move(sources)),
      how_(checked(std::move(how))),
      images_(
          sources_.size(), [this](size_t i) { return load(sources_[i]); }, options.workers,
          options.prefetch) {}

LoadedImage ImageLoader::load(const Source& source) const {
  LoadedImage image{source.path, {}, source.error};
  if (!image.error.empty()) return image;
  try {
    image.pixels = read_input(source.path, how_);
  } catch (...) {
    image.error = failure_text(source.path.string());
  }
  return image;
}

}  // namespace media
