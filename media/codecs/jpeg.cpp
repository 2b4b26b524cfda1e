// libjpeg itself instead of OpenCV, which returns a gray rest for data that ends early, prints
// libjpeg's warnings and knows only one kind of CMYK.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// After jpeglib.h.
#include <algorithm>
#include <jerror.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/color.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

// The emptiest Huffman-coded picture needs one bit for each block of 8 x 8 pixels in its first
// scan. Twice that leaves room for odd sampling factors.
constexpr int64_t kPixelsPerByte = 1024;
// A progressive file of a few kilobytes can ask for thousands of passes over a large picture.
constexpr int kMaxScans = 100;

/// libjpeg's state. The error handlers leave C code by longjmp, so the methods that call into it
/// hold no objects with destructors.
class JpegReader {
 public:
  JpegReader() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { self(info).stop(); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) self(info).on_warning();
    };
    errors_.output_message = [](j_common_ptr) {};
    info_.client_data = this;
    progress_.progress_monitor = [](j_common_ptr info) { self(info).on_progress(); };
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  /// False where the header makes no sense; see reason().
  bool read_header(std::span<const uint8_t> bytes) {
    if (setjmp(jump_)) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
    return true;
  }

  /// Fills `rgb` with height x width x 3 bytes; false where the data is damaged or ends early.
  bool read_pixels(uint8_t* rgb) {
    if (setjmp(jump_)) return false;
    // Of such files a missing end can be a missing scan; of others it is only a missing marker.
    needs_end_ = jpeg_has_multiple_scans(&info_) || info_.arith_code;
    if (ended_ && needs_end_) ERREXIT(&info_, JERR_INPUT_EOF);
    jpeg_start_decompress(&info_);
    const size_t width = info_.output_width;
    JSAMPARRAY cmyk = nullptr;
    if (info_.out_color_space == JCS_CMYK)
      cmyk = info_.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info_), JPOOL_IMAGE,
                                     static_cast<JDIMENSION>(width * 4), 1);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = rgb + info_.output_scanline * width * 3;
      jpeg_read_scanlines(&info_, cmyk ? cmyk : &row, 1);
      if (cmyk) cmyk_to_rgb(cmyk[0], row, width);
    }
    return true;
  }

  int64_t width() const { return info_.image_width; }
  int64_t height() const { return info_.image_height; }

  int orientation() const {
    constexpr std::string_view kExif{"Exif\0\0", 6}, kXmp{"http://ns.adobe.com/xap/1.0/\0", 29};
    std::vector<uint8_t> exif;  // a long block takes several markers
    std::span<const uint8_t> xmp;
    for (auto* marker = info_.marker_list; marker; marker = marker->next) {
      const std::span<const uint8_t> data(marker->data, marker->data_length);
      const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
      if (text.starts_with(kExif)) exif.insert(exif.end(), data.begin() + 6, data.end());
      if (text.starts_with(kXmp)) xmp = data.subspan(kXmp.size());
    }
    return find_orientation(exif, xmp);
  }

  /// What went wrong, in libjpeg's words.
  std::string reason() {
    char text[JMSG_LENGTH_MAX];
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), text);
    return text;
  }

 private:
  static JpegReader& self(j_common_ptr info) {
    return *static_cast<JpegReader*>(info->client_data);
  }

  [[noreturn]] void stop() { longjmp(jump_, 1); }

  void on_warning() {
    switch (errors_.msg_code) {
      case JWRN_JPEG_EOF:
        ended_ = true;
        if (!needs_end_) return;
        break;
      case JWRN_HIT_MARKER:  // the rest of the scan would be gray
      case JWRN_HUFF_BAD_CODE:
      case JWRN_ARITH_BAD_CODE:
      case JWRN_MUST_RESYNC:
        break;
      default:
        return;  // stray bytes, odd versions and the like: the picture is whole
    }
    stop();
  }

  void on_progress() {
    if (info_.input_scan_number > kMaxScans) ERREXIT(&info_, JERR_BAD_PROGRESSION);
  }

  /// The file holds 255 - C, 255 - M, 255 - Y, 255 - K as Adobe's programs write them, with their
  /// marker or, as Pillow takes it, without.
  static void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb, size_t width) {
    for (size_t x = 0; x < width; ++x, cmyk += 4, rgb += 3)
      media::cmyk_to_rgb(255 - cmyk[0], 255 - cmyk[1], 255 - cmyk[2], 255 - cmyk[3], rgb);
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  bool ended_ = false;      // the data ran out before the end marker
  bool needs_end_ = false;  // and that is an error
};

}  // namespace

Decoded decode_jpeg(const Encoded& file) {
  JpegReader reader;
  if (!reader.read_header(file.bytes)) refuse(file, "JPEG", reader.reason());
  check_size(file, "JPEG", reader.width(), reader.height());
  check_density(file, "JPEG", reader.width() * reader.height(), kPixelsPerByte);
  Decoded picture{at::empty({reader.height(), reader.width(), 3}, at::kByte), reader.orientation()};
  if (!reader.read_pixels(picture.rgb.mutable_data_ptr<uint8_t>()))
    refuse(file, "JPEG", reader.reason());
  return picture;
}

}  // namespace media
