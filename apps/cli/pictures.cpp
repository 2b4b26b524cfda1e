#include <iostream>
#include <utility>

#include <apps/cli/pictures.h>
#include <media/loader.h>
#include <media/preprocess.h>
#include <media/sources.h>

namespace cli {
namespace {

std::vector<media::Source> sources(const std::vector<PictureFile>& files) {
  std::vector<media::Source> sources;
  for (const PictureFile& file : files) sources.push_back({file.path, file.error});
  return sources;
}

}  // namespace

std::vector<PictureFile> list_pictures(const std::vector<std::string>& arguments) {
  std::vector<PictureFile> files;
  const auto add = [&](std::vector<media::Source> sources) {
    for (media::Source& source : sources)
      files.push_back({source.path.string(), std::move(source.error)});
  };
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      add(media::expand_sources(argument));
      continue;
    }
    for (std::string line; std::getline(std::cin, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) add(media::find_sources(line));
    }
  }
  return files;
}

at::Tensor read_picture(const std::string& path, const vit::PicturePreprocessing& preprocessing) {
  return media::read_input(path, preprocessing);
}

struct PictureStream::Impl {
  media::ImageLoader loader;
};

PictureStream::PictureStream(const std::vector<PictureFile>& files,
                             const vit::PicturePreprocessing& preprocessing, int64_t workers,
                             int64_t ahead)
    : impl_(new Impl{{sources(files),
                      preprocessing,
                      {static_cast<std::size_t>(workers), static_cast<std::size_t>(ahead)}}}) {}

PictureStream::~PictureStream() = default;

std::optional<Picture> PictureStream::next() {
  auto image = impl_->loader.next();
  if (!image) return std::nullopt;
  return Picture{image->path.string(), std::move(image->pixels), std::move(image->error)};
}

}  // namespace cli
