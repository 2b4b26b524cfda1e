#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/weights/mapped_file.h>

namespace vit {

/// One file of a zip archive.
struct ZipEntry {
  bool deflated = false;
  uint64_t offset = 0;       ///< of its bytes in the archive
  uint64_t stored_size = 0;  ///< bytes in the archive
  uint64_t size = 0;         ///< bytes, inflated
  uint32_t crc = 0;
};

/// The directory of a zip or zip64 archive, stored and deflated entries. Everything that two
/// readers could understand differently is refused: a name twice, entries over the same bytes, a
/// directory that is not exactly where and as long as it says, encryption.
class ZipArchive {
 public:
  /// Throws Error naming the file and the fault.
  explicit ZipArchive(std::shared_ptr<MappedFile> file);

  const std::map<std::string, ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(const std::string& name) const;
  const std::shared_ptr<MappedFile>& file() const { return file_; }
  std::string where() const { return file_->path().string(); }

 private:
  std::shared_ptr<MappedFile> file_;
  std::map<std::string, ZipEntry> entries_;
};

/// Reads the bytes of an entry from its start to its end, inflating them.
class ZipStream {
 public:
  /// `name` is for messages.
  ZipStream(const ZipArchive& archive, const std::string& name, const ZipEntry& entry);
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  /// Throws Error if there are fewer bytes.
  void read(void* data, size_t size);
  uint64_t remaining() const { return remaining_; }
  /// Throws Error unless the entry ends here and its checksum is right, or 0, which is none.
  void finish();

 private:
  struct Inflater;

  std::string where_;
  const ZipEntry& entry_;
  const char* bytes_;   ///< of a stored entry: what comes next
  uint64_t remaining_;  ///< bytes until the announced end
  uint32_t crc_ = 0;    ///< of what has been read
  std::unique_ptr<Inflater> inflater_;
};

/// A whole entry as text. Refuses more than `limit` bytes.
std::string read_zip_text(const ZipArchive& archive, const std::string& name, const ZipEntry& entry,
                          size_t limit);

/// `shape` elements that begin `skip` bytes into the entry and end with it; mapped, not copied,
/// where the entry is stored and aligned. The caller has checked that the size fits. Throws Error
/// if the entry has another checksum than the directory says.
at::Tensor read_zip_tensor(const ZipArchive& archive, const std::string& name,
                           const ZipEntry& entry, uint64_t skip, at::IntArrayRef shape,
                           at::ScalarType dtype);

}  // namespace vit
