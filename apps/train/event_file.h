#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace train {

/// A file of TensorBoard's: `tensorboard --logdir FOLDER` shows its curves. Records are written
/// whole and flushed, so that a reader (or a kill) never sees half of one that it takes for whole.
class EventFile {
 public:
  /// Makes `folder` and a new file events.out.tfevents.TIME.HOST.PID.vitome in it. Throws
  /// vit::Error.
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// A point of the curve `tag` ("train/loss").
  void scalar(const std::string& tag, int64_t step, double value);

  /// A text, such as the settings of a run, as Markdown.
  void text(const std::string& tag, int64_t step, const std::string& markdown);

  /// Writes out what is buffered; throws vit::Error if that fails (a full disk).
  void flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace train
