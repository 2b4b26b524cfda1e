// OpenCV for the formats that are too rare for a decoder of their own here.
#include <algorithm>
#include <cstring>
#include <iostream>
#include <mutex>
#include <optional>
#include <streambuf>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include <media/codecs/codec.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

/// While one of these lives, what its thread writes to std::cerr is dropped: OpenCV reports damaged
/// files there and offers no way to turn that off. Other threads' output passes.
class QuietThread {
 public:
  QuietThread() {
    static std::once_flag once;
    std::call_once(once, [] {
      // Lives as long as the process, like std::cerr.
      static auto* filter = new Filter(std::cerr.rdbuf());
      std::cerr.rdbuf(filter);
    });
    quiet_ = true;
  }
  ~QuietThread() { quiet_ = false; }
  QuietThread(const QuietThread&) = delete;
  QuietThread& operator=(const QuietThread&) = delete;

 private:
  class Filter : public std::streambuf {
   public:
    explicit Filter(std::streambuf* target) : target_(target) {}

   protected:
    int_type overflow(int_type c) override {
      return quiet_ ? traits_type::not_eof(c) : target_->sputc(traits_type::to_char_type(c));
    }
    std::streamsize xsputn(const char* text, std::streamsize count) override {
      return quiet_ ? count : target_->sputn(text, count);
    }
    int sync() override { return quiet_ ? 0 : target_->pubsync(); }

   private:
    std::streambuf* target_;
  };

  static thread_local bool quiet_;
};

thread_local bool QuietThread::quiet_ = false;

// A blank page in fax compression takes a bit per row.
constexpr int64_t kPixelsPerByte = 1 << 16;

/// Checks what the directory claims. Returns the position of the byte that marks alpha as not
/// multiplied into the colours, if it does.
std::optional<uint64_t> check_tiff(const Encoded& file) {
  enum Tag : uint32_t {
    kWidth = 256,
    kHeight = 257,
    kBits = 258,
    kCompression = 259,
    kStripOffsets = 273,
    kSamples = 277,
    kStripLengths = 279,
    kTileWidth = 322,
    kTileHeight = 323,
    kTileOffsets = 324,
    kTileLengths = 325,
    kExtraSamples = 338,
    kSampleFormat = 339,
  };
  const auto directory = TiffDirectory::open(file.bytes);
  if (!directory) refuse(file, "TIFF", "it has no directory");
  const ByteView view(file.bytes, file.bytes[0] == 'M');
  const int64_t width = directory->number(kWidth).value_or(0);
  const int64_t height = directory->number(kHeight).value_or(0);
  check_size(file, "TIFF", width, height);
  const int64_t bits = directory->number(kBits).value_or(1);
  const int64_t samples = directory->number(kSamples).value_or(1);
  if ((bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16) || samples < 1 ||
      samples > 4 || directory->number(kSampleFormat).value_or(1) != 1)
    refuse(file, "TIFF", samples, " samples of ", bits,
           " bits are not supported, only 1 to 4 of 1, 2, 4, 8 or 16 bits, no floating point");
  const bool plain = directory->number(kCompression).value_or(1) == 1;
  check_density(file, "TIFF", width * height,
                plain ? std::max<int64_t>(1, 8 / (bits * samples)) : kPixelsPerByte);
  const int64_t tile_width = directory->number(kTileWidth).value_or(1);
  const int64_t tile_height = directory->number(kTileHeight).value_or(1);
  check_size(file, "TIFF", tile_width, tile_height);
  check_density(file, "TIFF", tile_width * tile_height, kPixelsPerByte);
  // Where each strip, or else each tile, starts and how long it is.
  const bool tiled = directory->find(kTileOffsets).has_value();
  const auto offsets = directory->find(tiled ? kTileOffsets : kStripOffsets);
  const auto lengths = directory->find(tiled ? kTileLengths : kStripLengths);
  if (!offsets || !lengths || offsets->count != lengths->count)
    refuse(file, "TIFF", "it does not say where its data is");
  for (uint32_t i = 0; i < offsets->count; ++i)
    if (!view.has(directory->value(*offsets, i).value_or(0),
                  directory->value(*lengths, i).value_or(0)))
      refuse(file, "TIFF", "the file ends early");
  const auto extra = directory->find(kExtraSamples);
  constexpr uint32_t kShort = 3, kUnassociated = 2;
  if (!extra || extra->type != kShort || directory->number(kExtraSamples) != kUnassociated)
    return std::nullopt;
  return extra->offset + (file.bytes[0] == 'M' ? 1 : 0);
}

void check_jpeg_2000(const Encoded& file) {
  // The size marker of the codestream: FF 51, length, capabilities, then the extent and offset of
  // the reference grid. A JP2 file wraps the codestream into boxes.
  constexpr uint8_t kStart[] = {0xFF, 0x4F, 0xFF, 0x51};
  const auto at =
      std::search(file.bytes.begin(), file.bytes.end(), std::begin(kStart), std::end(kStart));
  const ByteView view(file.bytes, true);
  const auto size = static_cast<uint64_t>(at - file.bytes.begin()) + 8;
  if (!view.has(size, 32)) refuse(file, "JPEG 2000", "it has no picture");
  const int64_t width = int64_t{view.u32(size)} - view.u32(size + 8);
  const int64_t height = int64_t{view.u32(size + 4)} - view.u32(size + 12);
  check_size(file, "JPEG 2000", width, height);
  check_density(file, "JPEG 2000", width * height, kPixelsPerByte);
}

void check_sun_raster(const Encoded& file) {
  const ByteView view(file.bytes, true);
  constexpr uint64_t kHeader = 32;
  if (!view.has(0, kHeader)) refuse(file, "Sun raster", "the header ends early");
  const int64_t width = view.u32(4), height = view.u32(8), bits = view.u32(12);
  check_size(file, "Sun raster", width, height);
  constexpr int64_t kPixelsPerRunByte = 8 * 256 / 3 + 1;
  const bool runs = view.u32(20) == 2;
  check_density(file, "Sun raster", width * height,
                runs ? kPixelsPerRunByte : std::max<int64_t>(1, 8 / std::max<int64_t>(bits, 1)));
}

}  // namespace

Decoded decode_with_opencv(const Encoded& file, std::string_view format) {
  std::vector<uint8_t> bytes;
  if (format == "TIFF") {
    const auto alpha = check_tiff(file);
    bytes.assign(file.bytes.begin(), file.bytes.end());
    // libtiff would blend such alpha with black; called associated, it is left alone.
    if (alpha) bytes[*alpha] = 1;
  } else {
    if (format == "JPEG 2000")
      check_jpeg_2000(file);
    else
      check_sun_raster(file);
    bytes.assign(file.bytes.begin(), file.bytes.end());
  }

  cv::Mat bgr;
  try {
    const QuietThread quiet;
    bgr = cv::imdecode(bytes, cv::IMREAD_COLOR);
  } catch (const cv::Exception& error) {
    refuse(file, format, error.err);
  }
  if (bgr.empty() || bgr.type() != CV_8UC3)
    refuse(file, format, "the data is damaged or of an unknown kind");
  Decoded picture{at::empty({bgr.rows, bgr.cols, 3}, at::kByte)};
  uint8_t* out = picture.rgb.mutable_data_ptr<uint8_t>();
  for (int y = 0; y < bgr.rows; ++y) {
    const uint8_t* in = bgr.ptr<uint8_t>(y);
    for (int x = 0; x < bgr.cols; ++x, in += 3, out += 3) {
      out[0] = in[2];
      out[1] = in[1];
      out[2] = in[0];
    }
  }
  return picture;
}

}  // namespace media
