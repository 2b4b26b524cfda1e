// libwebp itself instead of OpenCV, which reads neither EXIF nor animations from WebP.
#include <algorithm>
#include <cstring>
#include <optional>
#include <webp/decode.h>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

constexpr const char* kFormat = "WebP";

/// The chunks of a RIFF container, one after the other.
class Chunks {
 public:
  explicit Chunks(std::span<const uint8_t> bytes) : rest_(bytes) {}

  struct Chunk {
    std::string_view name;
    std::span<const uint8_t> data;
    bool whole = true;  ///< false where the bytes end before the chunk does
  };

  std::optional<Chunk> next() {
    if (rest_.size() < 8) return std::nullopt;
    const size_t length = ByteView(rest_, false).u32(4);
    Chunk chunk{{reinterpret_cast<const char*>(rest_.data()), 4}, rest_.subspan(8)};
    chunk.whole = length <= chunk.data.size();
    chunk.data = chunk.data.first(std::min(length, chunk.data.size()));
    rest_ = rest_.subspan(std::min(rest_.size(), 8 + length + length % 2));
    return chunk;
  }

 private:
  std::span<const uint8_t> rest_;
};

/// What the container says, and where the coded picture is: the file itself, or within an
/// animation the data of its first frame.
struct Container {
  std::span<const uint8_t> picture;
  int64_t left = 0, top = 0;  ///< of the frame on the canvas
  std::span<const uint8_t> exif, xmp;
};

/// The coded picture among a frame's chunks. Its alpha, in a chunk of its own, is not wanted.
std::span<const uint8_t> find_picture(std::span<const uint8_t> frame) {
  Chunks chunks(frame);
  while (auto chunk = chunks.next())
    if (chunk->name == "VP8 " || chunk->name == "VP8L") return chunk->data;
  return {};
}

uint32_t u24(std::span<const uint8_t> bytes, size_t offset) {
  return bytes[offset] | bytes[offset + 1] << 8 | bytes[offset + 2] << 16;
}

Container parse_container(const Encoded& file, bool animated) {
  const size_t length = ByteView(file.bytes, false).u32(4);
  if (length > file.bytes.size() - 8) refuse(file, kFormat, "the file ends early");
  Container result;
  if (!animated) result.picture = file.bytes;
  Chunks chunks(file.bytes.subspan(12, std::max<size_t>(length, 4) - 4));
  while (auto chunk = chunks.next()) {
    if (!chunk->whole) refuse(file, kFormat, "the file ends early");
    if (chunk->name == "EXIF" && result.exif.empty()) result.exif = chunk->data;
    if (chunk->name == "XMP " && result.xmp.empty()) result.xmp = chunk->data;
    if (chunk->name == "ANMF" && result.picture.empty() && chunk->data.size() > 16) {
      result.left = int64_t{u24(chunk->data, 0)} * 2;
      result.top = int64_t{u24(chunk->data, 3)} * 2;
      result.picture = find_picture(chunk->data.subspan(16));
    }
  }
  return result;
}

const char* reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the picture data ends early";
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it uses an unknown feature";
    default:
      return "the data is damaged";
  }
}

}  // namespace

Decoded decode_webp(const Encoded& file) {
  WebPBitstreamFeatures canvas;
  VP8StatusCode status = WebPGetFeatures(file.bytes.data(), file.bytes.size(), &canvas);
  if (status != VP8_STATUS_OK) refuse(file, kFormat, reason(status));
  check_size(file, kFormat, canvas.width, canvas.height);
  const Container container = parse_container(file, canvas.has_animation);

  WebPDecoderConfig config;
  WebPInitDecoderConfig(&config);
  const auto& data = container.picture;
  status = WebPGetFeatures(data.data(), data.size(), &config.input);
  if (status != VP8_STATUS_OK) refuse(file, kFormat, reason(status));
  if (container.left + config.input.width > canvas.width ||
      container.top + config.input.height > canvas.height)
    refuse(file, kFormat, "its first frame does not fit into the picture");

  const bool covers = config.input.width == canvas.width && config.input.height == canvas.height;
  Decoded picture{at::empty({canvas.height, canvas.width, 3}, at::kByte),
                  find_orientation(container.exif, container.xmp)};
  uint8_t* rgb = picture.rgb.mutable_data_ptr<uint8_t>();
  if (!covers) std::memset(rgb, 0, picture.rgb.nbytes());
  const int64_t stride = int64_t{canvas.width} * 3;
  const int64_t start = container.top * stride + container.left * 3;
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgb + start;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = static_cast<size_t>(picture.rgb.numel() - start);
  status = WebPDecode(data.data(), data.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) refuse(file, kFormat, reason(status));
  return picture;
}

}  // namespace media
