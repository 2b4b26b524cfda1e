#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <ATen/core/Tensor.h>

#include <media/limits.h>
#include <vit/error.h>

namespace media {

/// A picture file in memory.
struct Encoded {
  std::span<const uint8_t> bytes;
  std::string_view name;  ///< what errors call the file
};

/// A picture as stored, and how it wants to be turned.
struct Decoded {
  at::Tensor rgb;       ///< uint8 [height, width, 3]
  int orientation = 1;  ///< EXIF's 1 to 8
};

/// Decoders for one file format each. All throw vit::Error, print nothing, and allocate no more
/// than a fixed multiple of the file's size before the header has proved plausible.
Decoded decode_jpeg(const Encoded& file);
Decoded decode_png(const Encoded& file);
Decoded decode_webp(const Encoded& file);
Decoded decode_bmp(const Encoded& file);
Decoded decode_pnm(const Encoded& file);
Decoded decode_tiff(const Encoded& file);
Decoded decode_sun_raster(const Encoded& file);
/// In a build without OpenJPEG it refuses every file and says so.
Decoded decode_jpeg_2000(const Encoded& file);

/// Throws: the file is of this format but cannot be read, because of `reason`.
template <typename... Reason>
[[noreturn]] void refuse(const Encoded& file, std::string_view format, const Reason&... reason) {
  vit::fail(file.name, ": cannot read this ", format, " file: ", reason...);
}

/// Throws unless a header's width and height make a picture of 1 to kMaxPixels pixels whose sides
/// are at most 2^20.
void check_size(const Encoded& file, std::string_view format, int64_t width, int64_t height);

/// Throws if the file has fewer bytes than a picture of its size can be compressed to, given the
/// most pixels that the format packs into a byte.
void check_density(const Encoded& file, std::string_view format, int64_t pixels,
                   int64_t pixels_per_byte);

/// Reads numbers out of a file's bytes. The caller asks has() first.
class ByteView {
 public:
  ByteView(std::span<const uint8_t> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  bool has(uint64_t offset, uint64_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  uint32_t u8(uint64_t offset) const { return bytes_[offset]; }
  uint32_t u16(uint64_t offset) const { return number(offset, 2); }
  uint32_t u32(uint64_t offset) const { return number(offset, 4); }

 private:
  uint32_t number(uint64_t offset, int count) const {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i)
      value = value << 8 | bytes_[offset + static_cast<uint64_t>(big_endian_ ? i : count - 1 - i)];
    return value;
  }

  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

}  // namespace media
