#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <media/read_ahead.h>
#include <media/sources.h>
#include <vit/config.h>

namespace media {

/// A picture ready for a model, or why there is none.
struct LoadedImage {
  std::filesystem::path path;
  at::Tensor pixels;  ///< float32 [C, H, W], see preprocess(); undefined where there is an error
  std::string error;  ///< names the file and the reason
};

/// Reads and preprocesses pictures on threads of its own, ahead of the one who takes them.
class ImageLoader {
 public:
  struct Options {
    size_t workers = 2;    ///< threads, at least 1
    size_t prefetch = 32;  ///< pictures that are under way or wait to be taken, at least 1
  };

  /// Throws vit::Error for a `how` that cannot be used.
  ImageLoader(std::vector<Source> sources, vit::PicturePreprocessing how, Options options);
  ImageLoader(std::vector<Source> sources, vit::PicturePreprocessing how);

  /// Ends at any time: pictures that are being read are finished, no other is begun.
  ~ImageLoader() = default;
  ImageLoader(const ImageLoader&) = delete;
  ImageLoader& operator=(const ImageLoader&) = delete;

  /// The next picture in the order of the sources, waiting for it; nothing after the last one. For
  /// one thread at a time. Never throws for a file: sources with an error are passed on, others get
  /// one.
  std::optional<LoadedImage> next() { return images_.next(); }

 private:
  LoadedImage load(const Source& source) const;

  const std::vector<Source> sources_;
  const vit::PicturePreprocessing how_;
  ReadAhead<LoadedImage> images_;  // the last member: its threads use the others
};

}  // namespace media
