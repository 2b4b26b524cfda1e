#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace base {

/// A file that is open for reading: a regular one, a device, or a pipe.
class InputFile {
 public:
  /// Throws Error that names the file and the reason: it is not there, may not be read, or is a
  /// named pipe that nobody writes to, which would be waited for without end.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }

  /// In bytes, of a regular file; nothing for others, whose end shows when it is reached.
  std::optional<uint64_t> size() const { return size_; }

  /// Reads on from where the last call ended, up to `count` bytes: fewer only at the end. Throws
  /// Error naming the file.
  std::size_t read(void* bytes, std::size_t count);

  /// Reads `count` bytes of a regular file from `offset` on; many threads may do so at once. Throws
  /// Error naming the file, also where it ends before.
  void read_at(uint64_t offset, void* bytes, std::size_t count) const;

 private:
  void check_for_writer();
  [[noreturn]] void fail_to_read() const;

  std::string name_;
  int descriptor_ = -1;
  std::optional<uint64_t> size_;
  std::optional<char> first_;  // of a pipe: was read to see whether there is anything
};

/// All that is in a file. Throws Error like InputFile.
std::string read_whole(const std::filesystem::path& path);

}  // namespace base
