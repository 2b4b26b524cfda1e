#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include <base/input_file.h>

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

/// A file on disk.
class FileSource : public ByteSource {
 public:
  /// Throws base::Error if it cannot be opened or is no regular file.
  explicit FileSource(const std::filesystem::path& path);

  uint64_t size() const override { return *file_.size(); }
  void read(uint64_t offset, void* bytes, std::size_t count) const override;

 private:
  base::InputFile file_;
};

}  // namespace data
