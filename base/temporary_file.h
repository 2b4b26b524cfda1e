#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace base {

/// A new file beside its target, removed unless it is moved there: the target appears whole or not
/// at all. Whatever fails throws Error naming the target and the system's reason.
///
/// What processes that were killed have left of the same target is removed first.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, size_t size);

  /// When everything is written: replaces the target. The object is of no use afterwards.
  void move_to_target();

 private:
  bool create();
  [[noreturn]] void fail_system(const char* what) const;

  std::filesystem::path target_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Removes the temporary files of a target whose processes were killed; those that are being
/// written stay. Does nothing where it may not.
void remove_leftovers(const std::filesystem::path& target);

/// Writes a whole text file, in the place of one that is there, by way of a TemporaryFile.
void replace_file(const std::filesystem::path& target, std::string_view text);

}  // namespace base
