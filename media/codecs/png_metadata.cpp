#include "media/codecs/png_metadata.h"

#include <cstring>
#include <optional>
#include <string_view>
#include <vector>
#include <zlib.h>

#include <media/codecs/codec.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr size_t kMaxText = size_t{1} << 20;

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Takes the bytes up to a NUL, and the NUL, off the front; nothing if there is none.
std::optional<Bytes> take_string(Bytes& rest) {
  const size_t end = text_of(rest).find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const Bytes string = rest.first(end);
  rest = rest.subspan(end + 1);
  return string;
}

std::vector<uint8_t> copy(Bytes bytes) {
  if (bytes.size() > kMaxText) return {};
  return {bytes.begin(), bytes.end()};
}

/// Nothing if the data is damaged or longer than kMaxText.
std::vector<uint8_t> inflate_text(Bytes bytes) {
  std::vector<uint8_t> text(kMaxText);
  auto length = static_cast<uLongf>(text.size());
  if (uncompress(text.data(), &length, bytes.data(), static_cast<uLong>(bytes.size())) != Z_OK)
    return {};
  text.resize(length);
  return text;
}

/// A text chunk's keyword, and its text, which is only unpacked if the keyword is one of ours.
struct Text {
  std::string_view keyword;
  std::vector<uint8_t> text;
};

constexpr std::string_view kXmp = "XML:com.adobe.xmp", kRawExif = "Raw profile type exif";

std::optional<Text> read_text(std::string_view chunk, Bytes data) {
  const auto keyword = take_string(data);
  if (!keyword) return std::nullopt;
  Text result{text_of(*keyword), {}};
  if (result.keyword != kXmp && result.keyword != kRawExif) return std::nullopt;
  if (chunk == "tEXt") {
    result.text = copy(data);
  } else if (chunk == "zTXt") {
    if (data.empty() || data[0] != 0) return std::nullopt;  // the way of compression
    result.text = inflate_text(data.subspan(1));
  } else {  // iTXt: is it compressed, the way of it, language, translated keyword
    if (data.size() < 2) return std::nullopt;
    const bool compressed = data[0] != 0;
    if (compressed && data[1] != 0) return std::nullopt;
    data = data.subspan(2);
    if (!take_string(data) || !take_string(data)) return std::nullopt;
    result.text = compressed ? inflate_text(data) : copy(data);
  }
  return result;
}

/// ImageMagick's way to keep EXIF in a text chunk: a name, a length, then hexadecimal digits.
std::vector<uint8_t> raw_profile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  std::vector<uint8_t> bytes;
  int digits = 0, value = 0;
  for (char c : text) {
    const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (c == '\n') continue;
    if (!letter && !(c >= '0' && c <= '9')) return {};
    value = value << 4 | (letter ? (c & 7) + 9 : c - '0');
    if (++digits % 2 == 0) bytes.push_back(static_cast<uint8_t>(value));
  }
  return bytes;
}

}  // namespace

int png_orientation(Bytes file) {
  std::vector<uint8_t> exif, raw, xmp;
  const ByteView view(file, true);
  constexpr uint64_t kAround = 12;  // length, name and checksum
  for (uint64_t at = 8; view.has(at, kAround); at += kAround + view.u32(at)) {
    if (!view.has(at + kAround, view.u32(at))) break;
    const Bytes data = file.subspan(at + 8, view.u32(at));
    const std::string_view name = text_of(file.subspan(at + 4, 4));
    if (name == "eXIf") exif = copy(data);
    if (name != "tEXt" && name != "zTXt" && name != "iTXt") continue;
    if (auto text = read_text(name, data))
      (text->keyword == kXmp ? xmp : raw) = std::move(text->text);
  }
  if (exif.empty()) exif = raw_profile(text_of(raw));
  return find_orientation(exif, xmp);
}

}  // namespace media
