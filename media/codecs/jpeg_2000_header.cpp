#include "media/codecs/jpeg_2000_header.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace media {
namespace {

constexpr const char* kFormat = "JPEG 2000";
constexpr int64_t kMostComponents = 4;

enum Marker : uint32_t {
  kStart = 0xFF4F,
  kCapabilities = 0xFF50,
  kSize = 0xFF51,
  kCoding = 0xFF52,
  kComponentCoding = 0xFF53,
  kTileParts = 0xFF90,
  kData = 0xFF93,
};
// The other segments that a header may have. A decoder steps over one that it does not know in a
// way of its own, and may find others behind it than a reader of lengths.
constexpr uint32_t kSegments[] = {0xFF55, 0xFF57, 0xFF58, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60,
                                  0xFF61, 0xFF63, 0xFF64, 0xFF74, 0xFF75, 0xFF77, 0xFF78};

int64_t pieces(int64_t length, int64_t step) { return (length + step - 1) / step; }

/// Where the codestream begins: within a JP2 file in the box of that name.
std::optional<uint64_t> find_codestream(std::span<const uint8_t> bytes) {
  const ByteView view(bytes, true);
  if (is_bare_jpeg_2000(bytes)) return 0;
  for (uint64_t at = 0; view.has(at, 8);) {
    uint64_t length = view.u32(at), header = 8;
    if (length == 1 && view.has(at, 16)) {
      length = uint64_t{view.u32(at + 8)} << 32 | view.u32(at + 12);
      header = 16;
    }
    constexpr uint32_t kCodestreamBox = 0x6A703263;  // jp2c
    if (view.u32(at + 4) == kCodestreamBox) return at + header;
    if (length < header || !view.has(at, length)) return std::nullopt;
    at += length;
  }
  return std::nullopt;
}

/// Reads the headers one segment after the other.
class HeaderReader {
 public:
  explicit HeaderReader(const Encoded& file) : file_(file), view_(file.bytes, true) {}

  void check() {
    const auto start = find_codestream(file_.bytes);
    if (!start || !view_.has(*start, 4) || view_.u16(*start) != kStart ||
        view_.u16(*start + 2) != kSize)
      refuse(file_, kFormat, "it has no picture");
    const uint64_t size = *start + 2;
    if (!view_.has(size, 40)) damaged();
    read_size(size + 6);
    check_tile_parts(read_segments(size + 2 + view_.u16(size + 2)));
  }

 private:
  [[noreturn]] void damaged() const {
    refuse(file_, kFormat, "its headers are damaged or cut off");
  }

  /// Extent and offset of the reference grid, extent and offset of its tiles, and the number of
  /// components.
  void read_size(uint64_t at) {
    const auto number = [&](uint64_t index) { return int64_t{view_.u32(at + 4 * index)}; };
    width_ = number(0) - number(2);
    height_ = number(1) - number(3);
    check_size(file_, kFormat, width_, height_);
    check_empty(file_, kFormat, width_ * height_);
    components_ = view_.u16(at + 32);
    if (components_ < 1 || components_ > kMostComponents)
      refuse(file_, kFormat, components_, " components are not supported, only 1 to ",
             kMostComponents);
    // A palette makes three of one.
    check_memory(file_, kFormat, width_ * height_,
                 std::max<int64_t>(components_, 3) * int64_t{sizeof(int32_t)});

    tile_width_ = number(4);
    tile_height_ = number(5);
    const int64_t left = number(6), top = number(7);
    if (tile_width_ == 0 || tile_height_ == 0 || left > number(2) || top > number(3))
      refuse(file_, kFormat, "its tiles do not cover it");
    tiles_ = pieces(number(0) - left, tile_width_) * pieces(number(1) - top, tile_height_);
    constexpr int64_t kFewTiles = 1024, kSmallTile = 64 * 64;
    // Of which no more than the picture has.
    tile_width_ = std::min(tile_width_, width_);
    tile_height_ = std::min(tile_height_, height_);
    if (tiles_ > kFewTiles && tile_width_ * tile_height_ < kSmallTile)
      refuse(file_, kFormat, tiles_, " tiles of ", tile_width_, " x ", tile_height_,
             " pixels are too many; tiles of ", kSmallTile, " pixels and more can be read");
  }

  /// Reads segments up to the first that belongs to no header, whose place it returns.
  uint64_t read_segments(uint64_t at) {
    for (;;) {
      if (!view_.has(at, 4)) damaged();
      const uint32_t marker = view_.u16(at);
      if (marker == kTileParts || marker == kData) return at;
      const uint64_t length = view_.u16(at + 2);
      if (length < 2 || !view_.has(at + 2, length)) damaged();
      const uint64_t end = at + 2 + length;
      if (marker == kCoding) {
        if (length < 12) damaged();
        layers_ = std::max<int64_t>(layers_, view_.u16(at + 6));
        check_coding(at + 9, end, view_.u8(at + 4));
      } else if (marker == kComponentCoding) {
        if (length < 9) damaged();
        check_coding(at + 6, end, view_.u8(at + 5));
      } else if (marker != kCapabilities && std::find(std::begin(kSegments), std::end(kSegments),
                                                      marker) == std::end(kSegments)) {
        damaged();
      }
      at = end;
    }
  }

  /// How the coefficients of a component are cut up, were all of them coded this way: the number of
  /// wavelet levels, the extent of blocks, two more bytes, and where `style` says so the extent of
  /// precincts for each resolution.
  void check_coding(uint64_t at, uint64_t end, uint32_t style) const {
    const int64_t levels = view_.u8(at);
    constexpr int64_t kMostLevels = 32;
    const bool has_precincts = style & 1;
    if (levels > kMostLevels || (has_precincts && end - at < 5 + static_cast<uint64_t>(levels) + 1))
      damaged();
    const int64_t samples = width_ * height_ * components_;

    const int64_t block = int64_t{1}
                          << (std::min(view_.u8(at + 1), 8u) + std::min(view_.u8(at + 2), 8u) + 4);
    constexpr int64_t kFreeSamples = 1 << 20, kSmallBlock = 16 * 16;
    if (block < kSmallBlock && samples > kFreeSamples)
      refuse(file_, kFormat, "blocks of ", block, " samples are too small; of ", kSmallBlock,
             " and more it could be read");

    int64_t precincts = 0;
    for (int64_t r = 0; r <= levels; ++r) {
      const uint32_t extent =
          has_precincts ? view_.u8(at + 5 + static_cast<uint64_t>(r)) : 0xFF;  // two exponents
      const int64_t scale = int64_t{1} << (levels - r);
      precincts += pieces(pieces(tile_width_, scale), int64_t{1} << (extent & 15)) *
                   pieces(pieces(tile_height_, scale), int64_t{1} << (extent >> 4));
    }
    precincts *= tiles_ * components_;
    constexpr int64_t kFreePrecincts = 1 << 15, kSmallPrecinct = 512;
    // Each precinct has a packet for each layer, and each packet at least a byte.
    const int64_t most_packets = (1 << 16) + 8 * static_cast<int64_t>(file_.bytes.size());
    if (precincts > kFreePrecincts + samples / kSmallPrecinct ||
        precincts > most_packets / std::max<int64_t>(layers_, 1))
      refuse(file_, kFormat, precincts, " precincts in ", layers_, " layers are too many");
  }

  /// Throws unless each tile has data. OpenJPEG leaves those without black.
  void check_tile_parts(uint64_t at) {
    std::vector<bool> seen(static_cast<size_t>(tiles_));
    int64_t found = 0;
    while (view_.has(at, 12) && view_.u16(at) == kTileParts) {
      const size_t tile = view_.u16(at + 4);
      if (tile < seen.size() && !seen[tile]) {
        seen[tile] = true;
        ++found;
      }
      const uint64_t length = view_.u32(at + 6);
      read_segments(at + 12);
      if (length == 0) break;  // it lasts to the end
      if (length < 14) damaged();
      at += length;
    }
    if (found < tiles_)
      refuse(file_, kFormat, "it has ", found, " of its ", tiles_,
             " tiles; the file is cut off or damaged");
  }

  const Encoded& file_;
  const ByteView view_;
  int64_t width_ = 0, height_ = 0, components_ = 0;
  int64_t tile_width_ = 0, tile_height_ = 0, tiles_ = 0;
  int64_t layers_ = 0;  ///< the most of all segments so far
};

}  // namespace

bool is_bare_jpeg_2000(std::span<const uint8_t> bytes) {
  constexpr uint8_t kBegin[] = {0xFF, 0x4F, 0xFF, 0x51};
  return bytes.size() >= std::size(kBegin) &&
         std::equal(std::begin(kBegin), std::end(kBegin), bytes.begin());
}

void check_jpeg_2000(const Encoded& file) { HeaderReader(file).check(); }

}  // namespace media
