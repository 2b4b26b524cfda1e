#include <cstring>
#include <libheif/heif.h>
#include <memory>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>

namespace media {
namespace {

constexpr const char* kFormat = "HEIF";
// An even picture takes a bit or two for each block of 64 x 64 pixels.
constexpr int64_t kPixelsPerByte = 1 << 16;

template <auto destroy>
struct Destroy {
  void operator()(auto* object) const { destroy(object); }
};

void check(const Encoded& file, const heif_error& error) {
  if (error.code == heif_error_Ok) return;
  const char* reason = error.message && *error.message ? error.message : "the data is damaged";
  if (error.code == heif_error_Unsupported_filetype ||
      error.code == heif_error_Unsupported_feature || error.code == heif_error_Decoder_plugin_error)
    refuse(
        file, kFormat, reason,
        "; libheif decodes HEIC where its plugin for libde265 is installed (Debian 13 and later: "
        "libheif-plugin-libde265)");
  refuse(file, kFormat, reason);
}

/// The square of this side has at most `pixels`.
int side_of(int64_t pixels) {
  int64_t side = 1;
  while ((side + 1) * (side + 1) <= pixels) ++side;
  return static_cast<int>(side);
}

}  // namespace

Decoded decode_heif(const Encoded& file) {
  const std::unique_ptr<heif_context, Destroy<heif_context_free>> context(heif_context_alloc());
  if (!context) refuse(file, kFormat, "out of memory");
  heif_context_set_maximum_image_size_limit(context.get(), side_of(file.max_pixels));
  check(file, heif_context_read_from_memory_without_copy(context.get(), file.bytes.data(),
                                                         file.bytes.size(), nullptr));
  heif_image_handle* raw_handle = nullptr;
  check(file, heif_context_get_primary_image_handle(context.get(), &raw_handle));
  const std::unique_ptr<heif_image_handle, Destroy<heif_image_handle_release>> handle(raw_handle);
  const int64_t claimed_width = heif_image_handle_get_width(handle.get());
  const int64_t claimed_height = heif_image_handle_get_height(handle.get());
  check_size(file, kFormat, claimed_width, claimed_height);
  check_density(file, kFormat, claimed_width * claimed_height, kPixelsPerByte);

  // Turned, mirrored and cropped as its properties say; EXIF only repeats them.
  heif_image* raw_image = nullptr;
  check(file, heif_decode_image(handle.get(), &raw_image, heif_colorspace_RGB,
                                heif_chroma_interleaved_RGB, nullptr));
  const std::unique_ptr<heif_image, Destroy<heif_image_release>> image(raw_image);
  const int64_t width = heif_image_get_width(image.get(), heif_channel_interleaved);
  const int64_t height = heif_image_get_height(image.get(), heif_channel_interleaved);
  check_size(file, kFormat, width, height);
  int stride = 0;
  const uint8_t* rows =
      heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  if (!rows || stride < width * 3) refuse(file, kFormat, "it has no pixels");
  Decoded picture{at::empty({height, width, 3}, at::kByte)};
  uint8_t* rgb = picture.rgb.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y)
    std::memcpy(rgb + y * width * 3, rows + y * stride, static_cast<size_t>(width * 3));
  return picture;
}

}  // namespace media
