#include "media/codecs/exif.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <ATen/ATen.h>

namespace media {
namespace {

constexpr uint32_t kByte = 1, kAscii = 2, kShort = 3, kLong = 4, kSignedByte = 6, kUndefined = 7,
                   kSignedShort = 8, kSignedLong = 9, kDirectory = 13;
constexpr uint32_t kOrientation = 0x112;
constexpr uint64_t kEntrySize = 12;

uint64_t size_of(uint32_t type) {
  switch (type) {
    case kByte:
    case kAscii:
    case kSignedByte:
    case kUndefined:
      return 1;
    case kShort:
    case kSignedShort:
      return 2;
    default:
      return 4;
  }
}

/// The number in the block's tag, whatever it is; 0 for a tag that holds no number.
std::optional<int64_t> exif_orientation(std::span<const uint8_t> block) {
  constexpr char kHeader[] = {'E', 'x', 'i', 'f', 0, 0};
  while (block.size() >= sizeof(kHeader) &&
         std::memcmp(block.data(), kHeader, sizeof(kHeader)) == 0)
    block = block.subspan(sizeof(kHeader));
  const auto directory = TiffDirectory::open(block);
  if (!directory || !directory->has(kOrientation)) return std::nullopt;
  return directory->number(kOrientation).value_or(0);
}

}  // namespace

std::optional<TiffDirectory> TiffDirectory::open(std::span<const uint8_t> bytes) {
  if (bytes.size() < 8 || bytes[0] != bytes[1] || (bytes[0] != 'I' && bytes[0] != 'M'))
    return std::nullopt;
  const ByteView view(bytes, bytes[0] == 'M');
  const uint64_t start = view.u32(4);
  if (view.u16(2) != 42 || !view.has(start, 2)) return std::nullopt;
  TiffDirectory directory(view);
  directory.entries_ = start + 2;
  const uint64_t room = (bytes.size() - directory.entries_) / kEntrySize;
  directory.count_ = static_cast<uint32_t>(std::min<uint64_t>(view.u16(start), room));
  return directory;
}

std::optional<TiffDirectory::Entry> TiffDirectory::find(uint32_t tag) const {
  for (uint32_t i = 0; i < count_; ++i) {
    const uint64_t at = entries_ + i * kEntrySize;
    if (view_.u16(at) != tag) continue;
    Entry entry{view_.u16(at + 2), view_.u32(at + 4), at + 8};
    const uint64_t bytes = entry.count * size_of(entry.type);
    if (bytes > 4) entry.offset = view_.u32(at + 8);
    if (!view_.has(entry.offset, bytes)) return std::nullopt;
    return entry;
  }
  return std::nullopt;
}

bool TiffDirectory::has(uint32_t tag) const {
  const auto entry = find(tag);
  return entry && entry->count > 0;
}

std::optional<int64_t> TiffDirectory::number(uint32_t tag) const {
  const auto entry = find(tag);
  if (!entry || entry->count == 0) return std::nullopt;
  switch (entry->type) {
    case kShort:
      return view_.u16(entry->offset);
    case kLong:
    case kDirectory:
      return view_.u32(entry->offset);
    case kSignedByte:
      return static_cast<int8_t>(view_.u8(entry->offset));
    case kSignedShort:
      return static_cast<int16_t>(view_.u16(entry->offset));
    case kSignedLong:
      return static_cast<int32_t>(view_.u32(entry->offset));
    default:
      return std::nullopt;
  }
}

std::optional<int> xmp_orientation(std::span<const uint8_t> packet) {
  constexpr std::string_view kName = "tiff:Orientation";
  std::string_view rest(reinterpret_cast<const char*>(packet.data()), packet.size());
  for (size_t at = rest.find(kName); at != rest.npos; at = rest.find(kName)) {
    rest.remove_prefix(at + kName.size());
    const size_t skip = rest.starts_with("=\"") ? 2 : rest.starts_with('>') ? 1 : 0;
    if (skip > 0 && rest.size() > skip && rest[skip] >= '0' && rest[skip] <= '9')
      return rest[skip] - '0';
  }
  return std::nullopt;
}

bool exif_has_orientation(std::span<const uint8_t> exif) {
  return exif_orientation(exif).has_value();
}

int find_orientation(std::span<const uint8_t> exif, std::span<const uint8_t> xmp) {
  const int64_t found = exif_orientation(exif).value_or(xmp_orientation(xmp).value_or(1));
  return found >= 1 && found <= 8 ? static_cast<int>(found) : 1;
}

at::Tensor apply_orientation(const at::Tensor& rgb, int orientation) {
  if (orientation <= 1 || orientation > 8) return rgb;
  const at::Tensor stored = rgb.contiguous();
  const int64_t height = stored.size(0), width = stored.size(1);
  // 5 to 8 swap the axes. In 2, 3, 7, 8 the stored picture's columns run backwards along the axis
  // where they end up, in 3, 4, 6, 7 its rows do.
  const bool swap = orientation >= 5;
  const bool columns_back = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool rows_back =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;

  at::Tensor turned = at::empty({swap ? width : height, swap ? height : width, 3}, at::kByte);
  const uint8_t* in = stored.const_data_ptr<uint8_t>();
  uint8_t* out = turned.mutable_data_ptr<uint8_t>();
  // Byte steps in the output for one column and one row of the stored picture.
  const int64_t column_step = (swap ? height * 3 : 3) * (columns_back ? -1 : 1);
  const int64_t row_step = (swap ? 3 : width * 3) * (rows_back ? -1 : 1);
  if (columns_back) out -= column_step * (width - 1);
  if (rows_back) out -= row_step * (height - 1);

  constexpr int64_t kTile = 16;  // few enough pages and lines on both sides of a transpose
  for (int64_t top = 0; top < height; top += kTile)
    for (int64_t left = 0; left < width; left += kTile)
      for (int64_t y = top; y < std::min(top + kTile, height); ++y)
        for (int64_t x = left; x < std::min(left + kTile, width); ++x)
          std::memcpy(out + y * row_step + x * column_step, in + (y * width + x) * 3, 3);
  return turned;
}

}  // namespace media
