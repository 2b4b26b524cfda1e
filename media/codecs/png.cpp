// libpng itself instead of OpenCV, which prints libpng's messages, decodes a picture before anyone
// can see that it is too large, and on some versions accepts wrong checksums.
#include <csetjmp>
#include <cstring>
#include <png.h>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

constexpr const char* kFormat = "PNG";
constexpr int64_t kDeflateRatio = 1032;  // the most bytes that one byte of deflate can stand for

/// libpng's state. Its errors leave C code by longjmp, so the methods that call into it hold no
/// objects with destructors.
class PngReader {
 public:
  explicit PngReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, &end_); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// False where the header makes no sense; see reason().
  bool read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (!png_) return false;
    if (setjmp(png_jmpbuf(png_))) return false;
    info_ = png_create_info_struct(png_);
    end_ = png_create_info_struct(png_);
    if (!info_ || !end_) return false;
    png_set_read_fn(png_, this, on_read);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size() is the limit
    // Chunks that do not change the pixels are stepped over instead of parsed.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    static constexpr png_byte kSkipped[] =
        "iCCP\0sPLT\0gAMA\0cHRM\0sRGB\0hIST\0pCAL\0sCAL\0iTXt\0tIME\0bKGD";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kSkipped, sizeof(kSkipped) / 5);
    png_read_info(png_, info_);
    return true;
  }

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  /// Size of the pixels before compression.
  int64_t stored_bytes() const {
    return static_cast<int64_t>(png_get_rowbytes(png_, info_)) * height();
  }

  /// Fills the rows, width x 3 bytes each; false where the data is damaged or ends early.
  bool read_pixels(uint8_t** rows) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_expand(png_);       // palettes, and gray below 8 bits
    png_set_strip_16(png_);     // keeps the high byte
    png_set_strip_alpha(png_);  // drops it, no blending
    png_set_gray_to_rgb(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != static_cast<size_t>(width()) * 3)
      png_error(png_, "unexpected row length");
    png_read_image(png_, rows);
    png_read_end(png_, end_);
    return true;
  }

  const std::string& reason() const { return reason_; }

  int orientation() {
    for (png_infop info : {info_, end_}) {
      png_bytep exif = nullptr;
      png_uint_32 length = 0;
      if (png_get_eXIf_1(png_, info, &length, &exif) && exif)
        return exif_orientation({exif, length});
      png_textp text = nullptr;
      const int count = png_get_text(png_, info, &text, nullptr);
      for (int i = 0; i < count; ++i)
        if (std::string_view(text[i].key) == "Raw profile type exif")
          return exif_orientation(raw_profile({text[i].text, text[i].text_length}));
    }
    return 1;
  }

 private:
  static PngReader& self(png_structp png) {
    return *static_cast<PngReader*>(png_get_error_ptr(png));
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    self(png).reason_ = message;
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  static void on_read(png_structp png, png_bytep out, size_t count) {
    PngReader& reader = self(png);
    if (count > reader.bytes_.size() - reader.position_) png_error(png, "the file ends early");
    std::memcpy(out, reader.bytes_.data() + reader.position_, count);
    reader.position_ += count;
  }

  /// ImageMagick's way to keep EXIF in a text chunk: a name, a length, then hexadecimal digits.
  static std::vector<uint8_t> raw_profile(std::string_view text) {
    for (int line = 0; line < 3; ++line) {
      const size_t end = text.find('\n');
      if (end == std::string_view::npos) return {};
      text.remove_prefix(end + 1);
    }
    std::vector<uint8_t> bytes;
    int digits = 0, value = 0;
    for (char c : text) {
      const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (c == '\n') continue;
      if (!letter && !(c >= '0' && c <= '9')) return {};
      value = value << 4 | (letter ? (c & 7) + 9 : c - '0');
      if (++digits % 2 == 0) bytes.push_back(static_cast<uint8_t>(value));
    }
    return bytes;
  }

  std::span<const uint8_t> bytes_;
  size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr, end_ = nullptr;
  std::string reason_ = "out of memory";
};

}  // namespace

Decoded decode_png(const Encoded& file) {
  PngReader reader(file.bytes);
  if (!reader.read_header()) refuse(file, kFormat, reader.reason());
  check_size(file, kFormat, reader.width(), reader.height());
  check_density(file, kFormat, reader.stored_bytes(), kDeflateRatio);
  Decoded picture{at::empty({reader.height(), reader.width(), 3}, at::kByte)};
  std::vector<uint8_t*> rows(reader.height());
  for (size_t y = 0; y < rows.size(); ++y)
    rows[y] =
        picture.rgb.mutable_data_ptr<uint8_t>() + static_cast<int64_t>(y) * reader.width() * 3;
  if (!reader.read_pixels(rows.data())) refuse(file, kFormat, reader.reason());
  picture.orientation = reader.orientation();
  return picture;
}

}  // namespace media
