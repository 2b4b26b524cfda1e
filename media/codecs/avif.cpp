// libavif decodes with dav1d as a rule, which writes to standard error what is wrong with damaged
// data. libavif has no setting for it.
#include <avif/avif.h>
#include <cstring>
#include <memory>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

constexpr const char* kFormat = "AVIF";
// An even picture takes a bit or two for each superblock of 128 x 128 pixels.
constexpr int64_t kPixelsPerByte = 1 << 16;

template <auto destroy>
struct Destroy {
  void operator()(auto* object) const { destroy(object); }
};

using Image = std::unique_ptr<avifImage, Destroy<avifImageDestroy>>;

/// Whether libavif since 1.0 takes a picture of more than 8 bits to RGB by way of the high 8 bits
/// of its samples: where libyuv, which does the work, has the colours but not a function for them.
/// Before, libavif had other ways, which round otherwise.
bool goes_through_8_bits(const avifImage& image, bool alpha) {
  if (image.depth <= 8) return false;
  if (image.yuvFormat == AVIF_PIXEL_FORMAT_YUV400) return alpha;
  if (alpha &&
      (image.depth == 10 || (image.depth == 12 && image.yuvFormat == AVIF_PIXEL_FORMAT_YUV420)))
    return false;
  int matrix = image.matrixCoefficients;
  if (matrix == AVIF_MATRIX_COEFFICIENTS_CHROMA_DERIVED_NCL) matrix = image.colorPrimaries;
  switch (matrix) {  // the primaries have the same numbers
    case AVIF_MATRIX_COEFFICIENTS_BT709:
    case AVIF_MATRIX_COEFFICIENTS_UNSPECIFIED:
    case AVIF_MATRIX_COEFFICIENTS_BT470BG:
    case AVIF_MATRIX_COEFFICIENTS_BT601:
    case AVIF_MATRIX_COEFFICIENTS_BT2020_NCL:
      return true;
    default:
      return false;
  }
}

/// The high 8 bits of each sample, and all that matters for the colours; nothing if there is no
/// room for them.
Image high_bits(const avifImage& image) {
  const auto width = static_cast<int64_t>(image.width), height = static_cast<int64_t>(image.height);
  Image result(avifImageCreate(image.width, image.height, 8, image.yuvFormat));
  if (!result) return nullptr;
  result->colorPrimaries = image.colorPrimaries;
  result->transferCharacteristics = image.transferCharacteristics;
  result->matrixCoefficients = image.matrixCoefficients;
  result->yuvRange = image.yuvRange;
  result->yuvChromaSamplePosition = image.yuvChromaSamplePosition;
  result->alphaPremultiplied = image.alphaPremultiplied;
  // It says whether there was room for them from 1.0 on.
  static_cast<void>(
      avifImageAllocatePlanes(result.get(), image.alphaPlane ? AVIF_PLANES_ALL : AVIF_PLANES_YUV));

  avifPixelFormatInfo format;
  avifGetPixelFormatInfo(image.yuvFormat, &format);
  const auto copy = [&](const uint8_t* from, uint32_t from_step, uint8_t* to, uint32_t to_step,
                        int shift_x, int shift_y) {
    if (!from) return true;
    if (!to) return false;
    const int64_t columns = (width + shift_x) >> shift_x, rows = (height + shift_y) >> shift_y;
    for (int64_t y = 0; y < rows; ++y)
      for (int64_t x = 0; x < columns; ++x) {
        uint16_t value;
        std::memcpy(&value, from + y * from_step + x * 2, 2);
        to[y * to_step + x] = static_cast<uint8_t>(value >> (image.depth - 8));
      }
    return true;
  };
  for (int c = 0; c < 3; ++c)
    if (!copy(image.yuvPlanes[c], image.yuvRowBytes[c], result->yuvPlanes[c],
              result->yuvRowBytes[c], c ? format.chromaShiftX : 0, c ? format.chromaShiftY : 0))
      return nullptr;
  if (!copy(image.alphaPlane, image.alphaRowBytes, result->alphaPlane, result->alphaRowBytes, 0, 0))
    return nullptr;
  return result;
}

/// The EXIF orientation that is the same as the file's turn and, after it, its mirror.
int turned(const avifImage& image) {
  const bool mirrored = (image.transformFlags & AVIF_TRANSFORM_IMIR) != 0;
  const int angle = image.transformFlags & AVIF_TRANSFORM_IROT ? image.irot.angle & 3 : 0;
#if AVIF_VERSION_MAJOR >= 1
  const bool sideways = image.imir.axis != 0;  // left and right change places
#else
  const bool sideways = image.imir.mode != 0;
#endif
  constexpr int kTurned[] = {1, 8, 3, 6};  // by quarters, against the clock
  constexpr int kTurnedThenUpsideDown[] = {4, 5, 2, 7}, kTurnedThenSideways[] = {2, 7, 4, 5};
  if (!mirrored) return kTurned[angle];
  return sideways ? kTurnedThenSideways[angle] : kTurnedThenUpsideDown[angle];
}

/// What turns the picture: its own properties; EXIF and XMP, which only repeat them, where there
/// are none and EXIF has no word of its own.
int orientation(const avifImage& image) {
  const std::span<const uint8_t> exif(image.exif.data, image.exif.size);
  const std::span<const uint8_t> xmp(image.xmp.data, image.xmp.size);
  const int own = turned(image);
  return own != 1 || exif_has_orientation(exif) ? own : find_orientation({}, xmp);
}

}  // namespace

Decoded decode_avif(const Encoded& file) {
  const std::unique_ptr<avifDecoder, Destroy<avifDecoderDestroy>> decoder(avifDecoderCreate());
  if (!decoder) refuse(file, kFormat, "out of memory");
  const auto check = [&](avifResult result) {
    if (result == AVIF_RESULT_OK) return;
    if (result == AVIF_RESULT_TRUNCATED_DATA) refuse(file, kFormat, "the file ends early");
    if (*decoder->diag.error) refuse(file, kFormat, decoder->diag.error);
    refuse(file, kFormat, avifResultToString(result));
  };
  decoder->maxThreads = 1;  // pictures are read on several already
  decoder->strictFlags &= ~(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);
  decoder->imageSizeLimit = static_cast<uint32_t>(file.max_pixels);
  check(avifDecoderSetIOMemory(decoder.get(), file.bytes.data(), file.bytes.size()));
  check(avifDecoderParse(decoder.get()));
  const avifImage& image = *decoder->image;
  check_size(file, kFormat, image.width, image.height);
  check_density(file, kFormat, int64_t{image.width} * image.height, kPixelsPerByte);
  check(avifDecoderNextImage(decoder.get()));

  const int64_t width = image.width, height = image.height;
  const bool alpha = decoder->alphaPresent;
  Image of_8_bits;
  if (goes_through_8_bits(image, alpha)) {
    of_8_bits = high_bits(image);
    if (!of_8_bits) refuse(file, kFormat, "out of memory");
  }
  const avifImage& yuv = of_8_bits ? *of_8_bits : image;
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &yuv);
  rgb.depth = 8;
  // With alpha the conversion takes another way, whose rounding differs.
  rgb.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  at::Tensor pixels = at::empty({height, width, alpha ? 4 : 3}, at::kByte);
  rgb.pixels = pixels.mutable_data_ptr<uint8_t>();
  rgb.rowBytes = static_cast<uint32_t>(width * pixels.size(2));
  check(avifImageYUVToRGB(&yuv, &rgb));
  return {alpha ? pixels.slice(2, 0, 3).contiguous() : pixels, orientation(image)};
}

}  // namespace media
