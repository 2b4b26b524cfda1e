// Read here instead of by OpenCV, which prints a message for a damaged file.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>

namespace media {
namespace {

constexpr const char* kFormat = "Sun raster";
constexpr uint64_t kHeaderBytes = 32;

enum Type : uint32_t { kOld = 0, kStandard = 1, kRuns = 2, kRgbOrder = 3 };

struct Header {
  int64_t width, height;
  uint32_t bits;  ///< per pixel
  uint32_t type;
  uint64_t map_bytes;  ///< of the colour map behind the header: all reds, all greens, all blues
};

Header read_header(const Encoded& file) {
  const ByteView view(file.bytes, true);
  if (!view.has(0, kHeaderBytes)) refuse(file, kFormat, "the header ends early");
  Header header{view.u32(4), view.u32(8), view.u32(12), view.u32(20), 0};
  check_size(file, kFormat, header.width, header.height);
  const uint32_t bits = header.bits, map_type = view.u32(24);
  if ((bits != 1 && bits != 8 && bits != 24 && bits != 32) || header.type > kRgbOrder)
    refuse(file, kFormat, bits, " bits per pixel in a file of type ", header.type,
           " are not supported");
  constexpr uint32_t kNoMap = 0, kRgbMap = 1;
  header.map_bytes = view.u32(28);
  if ((map_type != kNoMap && map_type != kRgbMap) || header.map_bytes > 3 * 256 ||
      (map_type == kNoMap && header.map_bytes != 0))
    refuse(file, kFormat, "a colour map of type ", map_type, " and ", header.map_bytes,
           " bytes is not supported");
  if (!view.has(kHeaderBytes, header.map_bytes)) refuse(file, kFormat, "the colour map ends early");
  return header;
}

/// Colours for the values of up to 8 bits: the map's, or else gray, where a set bit is black.
std::array<std::array<uint8_t, 3>, 256> read_map(const Encoded& file, const Header& header) {
  std::array<std::array<uint8_t, 3>, 256> map{};
  const size_t size = header.map_bytes / 3;
  for (size_t i = 0; i < map.size(); ++i)
    for (size_t c = 0; c < 3; ++c)
      if (size == 0)
        map[i][c] = static_cast<uint8_t>(header.bits == 1 ? (i == 0 ? 255 : 0) : i);
      else if (i < size)
        map[i][c] = file.bytes[kHeaderBytes + c * size + i];
  return map;
}

/// The `size` bytes that run-length coded data stand for. 0x80 is followed by a count and a value,
/// which stands there once more than the count says; 0x80 0x00 is one 0x80.
std::vector<uint8_t> read_runs(const Encoded& file, std::span<const uint8_t> data, size_t size) {
  constexpr uint8_t kEscape = 0x80;
  std::vector<uint8_t> bytes;
  bytes.reserve(size);
  size_t at = 0;
  const auto next = [&] {
    if (at >= data.size()) refuse(file, kFormat, "the picture data ends early");
    return data[at++];
  };
  while (bytes.size() < size) {
    const uint8_t value = next();
    const size_t count = value == kEscape ? next() : 0;
    const uint8_t repeated = count > 0 ? next() : value;
    bytes.insert(bytes.end(), std::min(count + 1, size - bytes.size()), repeated);
  }
  return bytes;
}

}  // namespace

Decoded decode_sun_raster(const Encoded& file) {
  const Header header = read_header(file);
  const int64_t stored_row = (header.width * header.bits + 15) / 16 * 2;
  const size_t needed = static_cast<size_t>(stored_row * header.height);
  auto data = file.bytes.subspan(kHeaderBytes + header.map_bytes);
  std::vector<uint8_t> unpacked;
  if (header.type == kRuns) {
    constexpr int64_t kMostPerByte = 256 / 3 + 1;  // a run of 256 bytes takes three
    check_density(file, kFormat, static_cast<int64_t>(needed), kMostPerByte);
    data = unpacked = read_runs(file, data, needed);
  }
  if (data.size() < needed) refuse(file, kFormat, "the picture data ends early");

  const auto map = read_map(file, header);
  Decoded picture{at::empty({header.height, header.width, 3}, at::kByte)};
  uint8_t* out = picture.rgb.mutable_data_ptr<uint8_t>();
  const int64_t step = header.bits / 8;
  const int red = header.type == kRgbOrder ? 0 : 2;
  for (int64_t y = 0; y < header.height; ++y) {
    const uint8_t* row = data.data() + y * stored_row;
    for (int64_t x = 0; x < header.width; ++x, out += 3) {
      if (header.bits <= 8) {
        const int value = header.bits == 8 ? row[x] : row[x / 8] >> (7 - x % 8) & 1;
        std::memcpy(out, map[static_cast<size_t>(value)].data(), 3);
      } else {
        const uint8_t* in = row + x * step;
        out[0] = in[red];
        out[1] = in[1];
        out[2] = in[2 - red];
      }
    }
  }
  return picture;
}

}  // namespace media
