#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace train {

/// A file of TensorBoard's: `tensorboard --logdir FOLDER` shows its curves. Records are buffered,
/// up to 64 KiB, and carry checksums, so that a reader (after a kill, say) never takes half of one
/// for whole; a write that fails is taken back. For one thread at a time.
class EventFile {
 public:
  /// Makes `folder` and a new file events.out.tfevents.TIME.HOST.PID.vitome in it. A run that goes
  /// on from a checkpoint says at which step: what earlier files of the folder have from there on
  /// is no longer shown. Throws base::Error.
  explicit EventFile(const std::filesystem::path& folder, int64_t resumed_at = 0);
  ~EventFile();  ///< writes out what is buffered, as far as that is possible
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// A point of the curve `tag` ("train/loss").
  void scalar(const std::string& tag, int64_t step, double value);

  /// A text, such as the settings of a run, as Markdown.
  void text(const std::string& tag, int64_t step, const std::string& markdown);

  /// Writes out what is buffered. Throws base::Error if that fails (a full disk): those records are
  /// lost, the file is as it was before, and later ones may succeed. scalar() and text() do the
  /// same when the buffer is full.
  void flush();

  const std::filesystem::path& path() const { return path_; }

 private:
  void add(std::string_view event);

  std::filesystem::path path_;
  std::string buffer_;
  int64_t written_ = 0;  // bytes
  int handle_ = -1;
};

}  // namespace train
