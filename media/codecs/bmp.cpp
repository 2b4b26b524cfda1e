// Read here instead of by OpenCV, which prints a message for a file that ends early and leaves
// 16-bit pixels darker than they are.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>

namespace media {
namespace {

constexpr const char* kFormat = "BMP";

enum Compression : uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kAlphaMasks = 6 };

struct Rgb {
  uint8_t r, g, b;
};

struct Header {
  int64_t width, height;
  bool top_down;
  uint32_t bits;  ///< per pixel
  uint32_t compression;
  uint64_t pixels;                  ///< offset of the first stored row
  std::array<Rgb, 256> palette{};   ///< for up to 8 bits; missing entries are black
  std::array<uint32_t, 3> masks{};  ///< for 16 and 32 bits: red, green, blue
};

Header read_header(const Encoded& file) {
  const ByteView view(file.bytes, false);
  constexpr uint64_t kFileHeader = 14, kCore = 12, kInfo = 40;
  if (!view.has(kFileHeader, 4)) refuse(file, kFormat, "the header ends early");
  const uint64_t size = view.u32(kFileHeader);
  if (!view.has(kFileHeader, size)) refuse(file, kFormat, "the header ends early");
  if (size != kCore && size < kInfo) refuse(file, kFormat, "a header of ", size, " bytes");

  Header header{};
  header.pixels = view.u32(10);
  uint32_t colors = 0;
  if (size == kCore) {
    header.width = view.u16(18);
    header.height = view.u16(20);
    header.bits = view.u16(24);
  } else {
    header.width = static_cast<int32_t>(view.u32(18));
    const int64_t height = static_cast<int32_t>(view.u32(22));
    header.top_down = height < 0;
    header.height = std::abs(height);
    header.bits = view.u16(28);
    header.compression = view.u32(30);
    colors = view.u32(46);
  }
  check_size(file, kFormat, header.width, header.height);

  const uint32_t bits = header.bits, compression = header.compression;
  const bool masks = compression == kMasks || compression == kAlphaMasks;
  const bool known =
      compression == kRle8   ? bits == 8
      : compression == kRle4 ? bits == 4
      : masks                ? bits == 16 || bits == 32
              : bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
  if (!known || (compression > kMasks && compression != kAlphaMasks))
    refuse(file, kFormat, bits, " bits per pixel with compression ", compression,
           " is not supported");

  uint64_t at = kFileHeader + size;
  if (masks) {
    // Later headers contain the masks, the first one is followed by them.
    const uint64_t start = kFileHeader + kInfo;
    if (!view.has(start, 12)) refuse(file, kFormat, "the header ends early");
    for (uint64_t i = 0; i < 3; ++i) header.masks[i] = view.u32(start + 4 * i);
    if (size == kInfo) at += compression == kAlphaMasks ? 16 : 12;
  } else if (bits == 16) {
    header.masks = {0x7C00, 0x03E0, 0x001F};
  } else if (bits == 32) {
    header.masks = {0xFF0000, 0xFF00, 0xFF};
  }
  if (bits <= 8) {
    const uint64_t entry = size == kCore ? 3 : 4, room = uint64_t{1} << bits;
    const uint64_t count = colors == 0 ? room : std::min<uint64_t>(colors, room);
    for (uint64_t i = 0; i < count && view.has(at + i * entry, 3); ++i) {
      const uint8_t* color = file.bytes.data() + at + i * entry;
      header.palette[i] = {color[2], color[1], color[0]};
    }
  }
  return header;
}

/// One channel of a 16- or 32-bit pixel, stretched to 0..255.
uint8_t channel(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const uint64_t most = mask >> shift;
  return static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / most);
}

void put(uint8_t* out, Rgb color) {
  out[0] = color.r;
  out[1] = color.g;
  out[2] = color.b;
}

/// One stored row without compression.
void read_row(const Header& header, const uint8_t* in, uint8_t* out) {
  const ByteView view({in, static_cast<size_t>((header.width * header.bits + 7) / 8)}, false);
  for (int64_t x = 0; x < header.width; ++x, out += 3) {
    const auto column = static_cast<uint64_t>(x);
    if (header.bits <= 8) {
      const uint64_t bit = column * header.bits;
      const uint32_t shift = 8 - header.bits - static_cast<uint32_t>(bit % 8);
      put(out, header.palette[in[bit / 8] >> shift & ((1u << header.bits) - 1)]);
    } else if (header.bits == 24) {
      put(out, {in[3 * x + 2], in[3 * x + 1], in[3 * x]});
    } else {
      const uint32_t pixel = header.bits == 16 ? view.u16(2 * column) : view.u32(4 * column);
      for (size_t c = 0; c < 3; ++c) out[c] = channel(pixel, header.masks[c]);
    }
  }
}

/// Run-length coded palette indices, rows in stored order. Pixels that the data skips are index 0.
std::vector<uint8_t> read_runs(const Encoded& file, const Header& header) {
  const int64_t width = header.width, height = header.height;
  // A run of two bytes covers at most 255 pixels.
  check_density(file, kFormat, width * height, 128);
  std::vector<uint8_t> indices(static_cast<size_t>(width * height));
  const auto data = file.bytes.subspan(header.pixels);
  const bool nibbles = header.compression == kRle4;
  int64_t x = 0, y = 0;
  const auto set = [&](uint32_t index) {
    if (x < width && y < height) indices[static_cast<size_t>(y * width + x)] = index;
    ++x;
  };
  size_t at = 0;
  const auto need = [&](size_t count) {
    if (data.size() - at < count) refuse(file, kFormat, "the picture data ends early");
  };
  while (y < height) {
    need(2);
    const uint8_t count = data[at], code = data[at + 1];
    at += 2;
    if (count > 0) {  // one run
      for (int i = 0; i < count; ++i) set(!nibbles ? code : i % 2 == 0 ? code >> 4 : code & 15);
    } else if (code == 0) {  // end of row
      x = 0;
      ++y;
    } else if (code == 1) {  // end of picture
      break;
    } else if (code == 2) {  // a jump
      need(2);
      x += data[at];
      y += data[at + 1];
      at += 2;
    } else {  // `code` literal pixels, padded to two bytes
      const size_t bytes = nibbles ? (code + 1) / 2 : code;
      need(bytes);
      for (int i = 0; i < code; ++i)
        set(!nibbles ? data[at + i] : i % 2 == 0 ? data[at + i / 2] >> 4 : data[at + i / 2] & 15);
      at += bytes;
      if (bytes % 2 == 1 && at < data.size()) ++at;
    }
  }
  return indices;
}

}  // namespace

Decoded decode_bmp(const Encoded& file) {
  const Header header = read_header(file);
  if (header.pixels > file.bytes.size()) refuse(file, kFormat, "the file ends early");
  const int64_t stored_row = (header.width * header.bits + 31) / 32 * 4;
  const bool runs = header.compression == kRle8 || header.compression == kRle4;
  // The last row's padding may be missing.
  const int64_t needed = stored_row * (header.height - 1) + (header.width * header.bits + 7) / 8;
  if (!runs && static_cast<int64_t>(file.bytes.size() - header.pixels) < needed)
    refuse(file, kFormat, "the picture data ends early");
  const std::vector<uint8_t> indices = runs ? read_runs(file, header) : std::vector<uint8_t>();

  Decoded picture{at::empty({header.height, header.width, 3}, at::kByte)};
  uint8_t* rgb = picture.rgb.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < header.height; ++y) {
    const int64_t row = header.top_down ? y : header.height - 1 - y;
    uint8_t* out = rgb + row * header.width * 3;
    if (!runs) {
      read_row(header, file.bytes.data() + header.pixels + y * stored_row, out);
    } else {
      const uint8_t* in = indices.data() + y * header.width;
      for (int64_t x = 0; x < header.width; ++x) put(out + 3 * x, header.palette[in[x]]);
    }
  }
  return picture;
}

}  // namespace media
