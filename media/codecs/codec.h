#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <ATen/core/Tensor.h>

#include <media/limits.h>
#include <vit/error.h>
#include <vit/input_config.h>

namespace media {

/// A picture file in memory, and how it is wanted.
struct Encoded {
  std::span<const uint8_t> bytes;
  std::string_view name;  ///< what errors call the file
  /// Decoded::transparent turns white or not; alpha samples are dropped in any case.
  vit::Transparency transparency = vit::Transparency::dropped;
  int64_t max_pixels = kMaxPixels;  ///< pictures with more are refused
};

/// A picture as stored, and how it wants to be turned.
struct Decoded {
  at::Tensor rgb;       ///< uint8 [height, width, 3]
  int orientation = 1;  ///< EXIF's 1 to 8
  /// The one colour that is transparent: that of a palette's only transparent entry where all
  /// others are opaque, or PNG's colour key. These are what Image.convert("RGB") of Pillow
  /// remembers as `transparency`, and later steps composite.
  std::optional<std::array<uint8_t, 3>> transparent = std::nullopt;
};

/// A file of any format as uint8 [height, width, 3], turned and with its transparent pixels as
/// `file` wants them. Throws vit::Error.
at::Tensor decode(const Encoded& file);

/// Decoders for one file format each. All throw vit::Error, print nothing themselves (libraries
/// below decode_avif() and decode_jpeg_xl() do), and allocate no more than a fixed multiple of the
/// file's size before the header has proved plausible.
Decoded decode_jpeg(const Encoded& file);
Decoded decode_png(const Encoded& file);
Decoded decode_webp(const Encoded& file);
Decoded decode_bmp(const Encoded& file);
Decoded decode_pnm(const Encoded& file);
Decoded decode_tiff(const Encoded& file);
Decoded decode_sun_raster(const Encoded& file);
Decoded decode_gif(const Encoded& file);
Decoded decode_avif(const Encoded& file);
// In a build without OpenJPEG, libheif or libjxl these refuse every file and say so.
Decoded decode_jpeg_2000(const Encoded& file);
Decoded decode_heif(const Encoded& file);
Decoded decode_jpeg_xl(const Encoded& file);

/// Throws: the file is of this format but cannot be read, because of `reason`.
template <typename... Reason>
[[noreturn]] void refuse(const Encoded& file, std::string_view format, const Reason&... reason) {
  vit::fail(file.name, ": cannot read this ", format, " file: ", reason...);
}

/// Throws unless a header's width and height make a picture of 1 to file.max_pixels pixels whose
/// sides are at most 2^20.
void check_size(const Encoded& file, std::string_view format, int64_t width, int64_t height);

/// Throws if the file has fewer bytes than a picture of its size can be compressed to, given the
/// most pixels that the format packs into a byte.
void check_density(const Encoded& file, std::string_view format, int64_t pixels,
                   int64_t pixels_per_byte);

/// The same for formats that have no such limit but whose decoders take many bytes for each pixel:
/// more than 2^24 pixels have to come with a byte for each 8192 of them.
void check_empty(const Encoded& file, std::string_view format, int64_t pixels);

/// Throws if a decoder would need more memory for its own use than 6 bytes for each of
/// file.max_pixels. So much is what progressive JPEG asks for at the most.
void check_memory(const Encoded& file, std::string_view format, int64_t pixels,
                  int64_t bytes_per_pixel);

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
