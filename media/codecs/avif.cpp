#include <avif/avif.h>
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

/// What turns the picture: its own properties; EXIF and XMP, which only repeat them, where there are
/// none and EXIF has no word of its own.
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
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &image);
  rgb.depth = 8;
  // With alpha the conversion takes another way, whose rounding differs.
  rgb.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  at::Tensor pixels = at::empty({height, width, alpha ? 4 : 3}, at::kByte);
  rgb.pixels = pixels.mutable_data_ptr<uint8_t>();
  rgb.rowBytes = static_cast<uint32_t>(width * pixels.size(2));
  check(avifImageYUVToRGB(&image, &rgb));
  return {alpha ? pixels.slice(2, 0, 3).contiguous() : pixels, orientation(image)};
}

}  // namespace media
