#include "tests/fuzz/targets.h"

#include <cstdint>
#include <cstdlib>
#include <span>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/exif.h>
#include <media/codecs/png_metadata.h>

namespace fuzz {
namespace {

// So that what a header may ask for is small, too.
constexpr int64_t kMaxPixels = 1 << 16;

std::span<const uint8_t> bytes_of(std::string_view input) {
  return {reinterpret_cast<const uint8_t*>(input.data()), input.size()};
}

template <media::Decoded (*decode)(const media::Encoded&)>
void read_picture(std::string_view input) {
  const media::Decoded picture =
      decode({bytes_of(input), "input", vit::Transparency::dropped, kMaxPixels});
  const at::Tensor& rgb = picture.rgb;
  if (rgb.dim() != 3 || rgb.size(2) != 3 || rgb.numel() == 0 || rgb.numel() > 3 * kMaxPixels ||
      picture.orientation < 1 || picture.orientation > 8)
    std::abort();
}

/// A PNG file's chunks around the pixels, which libpng has checked as a rule.
void read_png_metadata(std::string_view input) {
  const int orientation = media::png_orientation(bytes_of(input));
  if (orientation < 1 || orientation > 8) std::abort();
}

/// An EXIF block (may be empty), and behind the last NUL an XMP packet.
void read_xmp(std::string_view input) {
  const auto end = std::min(input.rfind('\0'), input.size());
  const auto exif = input.substr(0, end), xmp = input.substr(std::min(end + 1, input.size()));
  const int orientation = media::find_orientation(bytes_of(exif), bytes_of(xmp));
  if (orientation < 1 || orientation > 8) std::abort();
}

}  // namespace

std::vector<Target> picture_targets() {
  return {
      {"avif", read_picture<media::decode_avif>},
      {"gif", read_picture<media::decode_gif>},
      {"jpeg_2000", read_picture<media::decode_jpeg_2000>},
      {"png_metadata", read_png_metadata},
      {"tiff", read_picture<media::decode_tiff>},
      {"xmp", read_xmp},
  };
}

}  // namespace fuzz
