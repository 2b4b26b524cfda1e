#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

namespace base {

/// A file in memory for as long as anybody holds the object. Its pages are private to the process:
/// what is written to them never reaches the file. A file that is made shorter while it is mapped
/// faults the reader, as with every mapping; replace files by renaming instead.
class MappedFile {
 public:
  /// Throws Error naming the file if it is missing, unreadable or not a regular file.
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);

  /// A copy of `bytes` that readers take for a file of the name `path`.
  static std::shared_ptr<MappedFile> in_memory(const std::filesystem::path& path,
                                               std::string_view bytes);

  ~MappedFile() { release_(data_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  /// For whoever hands its bytes on: what is written to them stays in this process.
  uint8_t* data() { return data_; }

 private:
  using Release = void (*)(uint8_t* data, size_t size);

  MappedFile(std::filesystem::path path, uint8_t* data, size_t size, Release release)
      : path_(std::move(path)), data_(data), size_(size), release_(release) {}

  std::filesystem::path path_;
  uint8_t* data_;
  size_t size_;
  Release release_;
};

}  // namespace base
