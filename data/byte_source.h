#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace data {

/// Bytes that can be read at any place, by many threads at once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;

  /// Reads `count` bytes from `offset` on. Throws base::Error naming the file where there are none.
  virtual void read(uint64_t offset, void* bytes, std::size_t count) const = 0;

  const std::string& name() const { return name_; }

 protected:
  explicit ByteSource(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

/// A file that is read by pread.
class FileSource : public ByteSource {
 public:
  /// Throws base::Error if it cannot be opened or is no regular file.
  explicit FileSource(const std::filesystem::path& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  uint64_t size() const override { return size_; }
  void read(uint64_t offset, void* bytes, std::size_t count) const override;

 private:
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

}  // namespace data
