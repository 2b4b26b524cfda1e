// libpng itself instead of OpenCV, which prints libpng's messages, decodes a picture before anyone
// can see that it is too large, and on some versions accepts wrong checksums.
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <optional>
#include <png.h>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/png_metadata.h>

namespace media {
namespace {

constexpr const char* kFormat = "PNG";
constexpr int64_t kDeflateRatio = 1032;  // the most bytes that one byte of deflate can stand for

/// libpng's state. Its errors leave C code by longjmp, so the methods that call into it hold no
/// objects with destructors.
class PngReader {
 public:
  explicit PngReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// False where the header makes no sense; see reason().
  bool read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (!png_) return false;
    if (setjmp(png_jmpbuf(png_))) return false;
    info_ = png_create_info_struct(png_);
    if (!info_) return false;
    png_set_read_fn(png_, this, on_read);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size() is the limit
    // Chunks that do not change the pixels are stepped over instead of parsed.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    static constexpr png_byte kSkipped[] =
        "iCCP\0sPLT\0gAMA\0cHRM\0sRGB\0hIST\0pCAL\0sCAL\0tEXt\0zTXt\0iTXt\0eXIf\0tIME\0bKGD";
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
    png_read_end(png_, nullptr);
    return true;
  }

  const std::string& reason() const { return reason_; }

  /// The colour that a palette or a colour key makes transparent; see Decoded. To be asked before
  /// the pixels are read.
  std::optional<std::array<uint8_t, 3>> transparent() {
    png_bytep alphas = nullptr;
    int count = 0;
    png_color_16p key = nullptr;
    if (!png_get_tRNS(png_, info_, &alphas, &count, &key)) return std::nullopt;
    const int depth = png_get_bit_depth(png_, info_);
    switch (png_get_color_type(png_, info_)) {
      case PNG_COLOR_TYPE_PALETTE:
        return transparent_entry({alphas, static_cast<size_t>(count)});
      case PNG_COLOR_TYPE_RGB:  // of 16 bits Pillow takes the low byte
        return {{static_cast<uint8_t>(key->red), static_cast<uint8_t>(key->green),
                 static_cast<uint8_t>(key->blue)}};
      case PNG_COLOR_TYPE_GRAY: {
        if (depth == 16) return std::nullopt;  // nothing of which is left among the high bytes
        // Pillow scales the pixels of 2 and 4 bits, but not their key.
        const auto level = static_cast<uint8_t>(depth == 1 ? (key->gray ? 255 : 0) : key->gray);
        return {{level, level, level}};
      }
      default:
        return std::nullopt;
    }
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

  std::optional<std::array<uint8_t, 3>> transparent_entry(std::span<const uint8_t> alphas) {
    const auto is_opaque = [](uint8_t alpha) { return alpha == 255; };
    const auto first = std::find_if_not(alphas.begin(), alphas.end(), is_opaque);
    png_colorp palette = nullptr;
    int count = 0;
    if (first == alphas.end() || *first != 0 || !std::all_of(first + 1, alphas.end(), is_opaque) ||
        !png_get_PLTE(png_, info_, &palette, &count) || first - alphas.begin() >= count)
      return std::nullopt;
    const png_color& color = palette[first - alphas.begin()];
    return {{color.red, color.green, color.blue}};
  }

  std::span<const uint8_t> bytes_;
  size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::string reason_ = "out of memory";
};

}  // namespace

Decoded decode_png(const Encoded& file) {
  PngReader reader(file.bytes);
  if (!reader.read_header()) refuse(file, kFormat, reader.reason());
  check_size(file, kFormat, reader.width(), reader.height());
  check_density(file, kFormat, reader.stored_bytes(), kDeflateRatio);
  Decoded picture{at::empty({reader.height(), reader.width(), 3}, at::kByte),
                  png_orientation(file.bytes), reader.transparent()};
  std::vector<uint8_t*> rows(reader.height());
  for (size_t y = 0; y < rows.size(); ++y)
    rows[y] =
        picture.rgb.mutable_data_ptr<uint8_t>() + static_cast<int64_t>(y) * reader.width() * 3;
  if (!reader.read_pixels(rows.data())) refuse(file, kFormat, reader.reason());
  return picture;
}

}  // namespace media
