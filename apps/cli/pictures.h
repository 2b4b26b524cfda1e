#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace cli {

// In a build without media (VITOME_MEDIA=OFF) these all throw base::Error that says so.

/// A file that an argument names, or why it names none.
struct PictureFile {
  std::string path;
  std::string error;
};

/// What the arguments name, in their order: files, folders with all below them, globs, and "-" for
/// a list on standard input, of a file or folder per line. One that leads to nothing has an error.
std::vector<PictureFile> list_pictures(const std::vector<std::string>& arguments);

/// A picture as the model wants it: [3,H,W] float32. Throws base::Error naming the file.
at::Tensor read_picture(const std::string& path, const vit::PicturePreprocessing& preprocessing);

/// A picture as the model wants it, or why there is none.
struct Picture {
  std::string path;
  at::Tensor pixels;  ///< [3,H,W] float32; undefined where there is an error
  std::string error;  ///< names the file
};

/// Reads pictures in parallel, ahead of the one who takes them.
class PictureStream {
 public:
  /// Up to `ahead` pictures wait to be taken.
  PictureStream(const std::vector<PictureFile>& files,
                const vit::PicturePreprocessing& preprocessing, int64_t workers, int64_t ahead);
  ~PictureStream();

  /// In the order of the files; nothing after the last one.
  std::optional<Picture> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cli
