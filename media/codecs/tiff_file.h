#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <tiffio.h>

#include <media/codecs/codec.h>

namespace media {

/// What libtiff reports about one file, instead of printing it. Its messages come from C code, so
/// that nothing here throws.
struct TiffLog {
  char reason[256] = "";  ///< the first error, the ones after it are its consequences
  bool damaged = false;   ///< libjpeg only warned about data that leave a part of the picture gray
};

/// The first page of a TIFF file in memory, opened by libtiff. For one thread at a time.
class TiffFile {
 public:
  /// Throws vit::Error where libtiff finds no page.
  explicit TiffFile(const Encoded& file);
  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* get() const { return tiff_; }

  /// A tag whose value is a number of type T (uint16_t or uint32_t), or libtiff's default for it.
  template <typename T>
  T tag(uint32_t tag, T otherwise) const {
    T value{};
    return TIFFGetFieldDefaulted(tiff_, tag, &value) ? value : otherwise;
  }

  /// Bytes of a strip in the file, at most those that the file has.
  size_t stored_bytes(uint32_t strip) const;

  /// Throws vit::Error with what libtiff reported first.
  [[noreturn]] void fail() const;
  /// Throws vit::Error if data that were decoded without an error are damaged all the same.
  void check_damage() const;

 private:
  /// Where libtiff reads.
  struct Cursor {
    std::span<const uint8_t> bytes;
    uint64_t position = 0;
  };

  TIFF* open();
  void close();

  const Encoded& file_;
  Cursor cursor_;
  TiffLog log_;
  TIFF* tiff_ = nullptr;
};

}  // namespace media
