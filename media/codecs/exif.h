#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <ATen/core/Tensor.h>

#include <media/codecs/codec.h>

namespace media {

/// The first directory of a TIFF file, which is also what an EXIF block holds.
class TiffDirectory {
 public:
  /// Nothing if the bytes do not start with a TIFF header and a directory. Entries beyond the end
  /// of the bytes are left out.
  static std::optional<TiffDirectory> open(std::span<const uint8_t> bytes);

  /// Whether there is such a tag, with a value of any kind.
  bool has(uint32_t tag) const;
  /// The first value of a tag of integers, of which bytes are none.
  std::optional<int64_t> number(uint32_t tag) const;

 private:
  /// Where one tag stands.
  struct Entry {
    uint32_t type = 0, count = 0;
    uint64_t offset = 0;  ///< of its first value, within the file
  };

  explicit TiffDirectory(ByteView view) : view_(view) {}

  std::optional<Entry> find(uint32_t tag) const;

  ByteView view_;
  uint64_t entries_ = 0;  ///< offset of the first one
  uint32_t count_ = 0;
};

/// The orientation 1 to 8 that a picture's metadata ask for: that of the EXIF block (with or
/// without its "Exif" header), or where it has no such tag or makes no sense that of the XMP packet
/// (tiff:Orientation); 1 where neither has one or the one that counts is no orientation.
int find_orientation(std::span<const uint8_t> exif, std::span<const uint8_t> xmp);

/// Whether an EXIF block, with or without its "Exif" header, has an orientation, even one that
/// means nothing.
bool exif_has_orientation(std::span<const uint8_t> exif);

/// The number that an XMP packet, UTF-8, has as its first tiff:Orientation, as attribute or
/// element. Only one digit is read and nothing is parsed, as in Pillow.
std::optional<int> xmp_orientation(std::span<const uint8_t> packet);

/// uint8 [height, width, 3] turned and mirrored as EXIF's orientation says.
at::Tensor apply_orientation(const at::Tensor& rgb, int orientation);

}  // namespace media
