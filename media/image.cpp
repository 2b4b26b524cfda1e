#include "media/image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include <base/input_file.h>
#include <media/codecs/codec.h>
#include <media/codecs/exif.h>

namespace media {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view name;
  size_t offset;           ///< of the signature
  std::string_view magic;  ///< signature
  Decoded (*decode)(const Encoded&);
};

/// A file of the container that HEIF and AVIF share, under its common name: its list of compatible
/// names says how the picture is coded.
Decoded decode_of_either(const Encoded& file) {
  const ByteView view(file.bytes, true);
  const size_t end = std::min<size_t>(view.has(0, 4) ? view.u32(0) : 0, file.bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), end);
  for (size_t at = 16; at + 4 <= end; at += 4)
    if (const auto name = text.substr(at, 4); name == "avif" || name == "avis")
      return decode_avif(file);
  return decode_heif(file);
}

constexpr Format kFormats[] = {
    {"JPEG", 0, "\xFF\xD8\xFF"sv, decode_jpeg},
    {"PNG", 0, "\x89PNG\r\n\x1A\n"sv, decode_png},
    {"WebP", 8, "WEBP"sv, decode_webp},
    {"BMP", 0, "BM"sv, decode_bmp},
    {"TIFF", 0, "II*\0"sv, decode_tiff},
    {"TIFF", 0, "MM\0*"sv, decode_tiff},
    {"TIFF", 0, "II+\0"sv, decode_tiff},  // BigTIFF
    {"TIFF", 0, "MM\0+"sv, decode_tiff},
    {"JPEG 2000", 4, "jP  \r\n\x87\n"sv, decode_jpeg_2000},
    {"JPEG 2000", 0, "\xFF\x4F\xFF\x51"sv, decode_jpeg_2000},
    {"Sun raster", 0, "\x59\xA6\x6A\x95"sv, decode_sun_raster},
    {"GIF", 0, "GIF8"sv, decode_gif},
    {"AVIF", 4, "ftypavif"sv, decode_avif},
    {"AVIF", 4, "ftypavis"sv, decode_avif},
    {"HEIF", 4, "ftyphei"sv, decode_heif},
    {"HEIF", 4, "ftyphev"sv, decode_heif},
    {"HEIF", 4, "ftypmif1"sv, decode_of_either},
    {"HEIF", 4, "ftypmsf1"sv, decode_of_either},
    {"JPEG XL", 4, "JXL \r\n\x87\n"sv, decode_jpeg_xl},
    {"JPEG XL", 0, "\xFF\x0A"sv, decode_jpeg_xl},
    // Named in the error, not read.
    {"OpenEXR", 0, "\x76\x2F\x31\x01"sv, nullptr},
    {"PFM (floating PNM)", 0, "PF\n"sv, nullptr},
    {"PFM (floating PNM)", 0, "Pf\n"sv, nullptr},
};
constexpr Format kPnm{"PNM", 0, "P", decode_pnm};
constexpr size_t kSignature = 16;  ///< bytes that tell every format

/// The file's format; throws where there is none or it cannot be read.
const Format& recognise(const Encoded& file) {
  const std::string_view head(reinterpret_cast<const char*>(file.bytes.data()),
                              std::min(file.bytes.size(), kSignature));
  if (head.empty()) vit::fail(file.name, ": the file is empty");
  if (head.size() > 2 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
      std::isspace(static_cast<unsigned char>(head[2])))
    return kPnm;
  for (const Format& format : kFormats) {
    if (head.size() < format.offset + format.magic.size() ||
        head.substr(format.offset, format.magic.size()) != format.magic)
      continue;
    if (!format.decode) vit::fail(file.name, ": ", format.name, " files are not supported");
    return format;
  }
  vit::fail(file.name,
            ": not a picture; JPEG, PNG, WebP, GIF, AVIF, HEIF, BMP, PNM, TIFF, JPEG 2000, JPEG XL "
            "and Sun raster can be read");
}

void whiten(const at::Tensor& rgb, const std::array<uint8_t, 3>& color) {
  uint8_t* pixel = rgb.mutable_data_ptr<uint8_t>();
  for (const uint8_t* end = pixel + rgb.numel(); pixel != end; pixel += 3)
    if (std::equal(color.begin(), color.end(), pixel)) std::memset(pixel, 255, 3);
}

// The largest picture of kMaxPixels without compression, 16 bits and alpha, fits.
constexpr size_t kMaxFileSize = size_t{3} << 29;

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    vit::fail(name, ": is a folder, expected a picture file");
  base::InputFile file(path);

  std::vector<uint8_t> bytes;
  // False at the end of the file.
  const auto append = [&](size_t count) {
    const size_t size = bytes.size();
    bytes.resize(size + count);
    const size_t got = file.read(bytes.data() + size, count);
    bytes.resize(size + got);
    return got == count;
  };
  // What is no picture, a film for example, is not read to its end.
  bool more = append(kSignature);
  recognise({bytes, name});
  // Pipes have no size and are read in steps, with a byte more to see the end.
  const uint64_t size = file.size().value_or(0);
  size_t step = size <= bytes.size() ? 1 << 16 : size - bytes.size() + 1;
  while (more) {
    if (bytes.size() + step > kMaxFileSize)
      vit::fail(name, ": the file is larger than ", kMaxFileSize, " bytes");
    more = append(step);
    step = std::max<size_t>(1 << 16, bytes.size() / 2);
  }
  return bytes;
}

}  // namespace

void check_size(const Encoded& file, std::string_view format, int64_t width, int64_t height) {
  constexpr int64_t kMaxSide = 1 << 20;
  if (width <= 0 || height <= 0)
    refuse(file, format, "a picture of ", width, " x ", height, " pixels is empty");
  if (width > kMaxSide || height > kMaxSide || width * height > file.max_pixels)
    refuse(file, format, width, " x ", height, " pixels are too many; at most ", file.max_pixels,
           " in all and ", kMaxSide, " along a side can be read");
}

void check_density(const Encoded& file, std::string_view format, int64_t pixels,
                   int64_t pixels_per_byte) {
  if (pixels / pixels_per_byte > static_cast<int64_t>(file.bytes.size()))
    refuse(file, format, "its ", file.bytes.size(),
           " bytes cannot hold the picture that its header "
           "claims; the file is cut off or damaged");
}

void check_empty(const Encoded& file, std::string_view format, int64_t pixels) {
  constexpr int64_t kFreePixels = 1 << 24, kPixelsPerByte = 8192;
  if (pixels > kFreePixels) check_density(file, format, pixels, kPixelsPerByte);
}

void check_memory(const Encoded& file, std::string_view format, int64_t pixels,
                  int64_t bytes_per_pixel) {
  const int64_t most = file.max_pixels * 6;
  if (pixels > most / bytes_per_pixel)
    refuse(file, format, pixels, " pixels of ", bytes_per_pixel, " bytes while it is decoded are ",
           "too many; at most ", most / bytes_per_pixel, " of them can be read");
}

at::Tensor decode(const Encoded& file) {
  const Decoded picture = recognise(file).decode(file);
  if (picture.transparent && file.transparency == vit::Transparency::color_key_white)
    whiten(picture.rgb, *picture.transparent);
  return apply_orientation(picture.rgb, picture.orientation);
}

at::Tensor decode_image(std::span<const uint8_t> bytes, std::string_view name,
                        vit::Transparency transparency) {
  return decode({.bytes = bytes, .name = name, .transparency = transparency});
}

at::Tensor read_image(const std::filesystem::path& path, vit::Transparency transparency) {
  return decode_image(read_file(path), path.string(), transparency);
}

bool is_image_file_name(const std::filesystem::path& path) {
  constexpr std::array kExtensions = {
      ".jpg"sv, ".jpeg"sv, ".jpe"sv,   ".jfif"sv, ".png"sv,  ".apng"sv, ".webp"sv,
      ".gif"sv, ".avif"sv, ".avifs"sv, ".heic"sv, ".heif"sv, ".hif"sv,  ".bmp"sv,
      ".dib"sv, ".ppm"sv,  ".pgm"sv,   ".pbm"sv,  ".pnm"sv,  ".tif"sv,  ".tiff"sv,
      ".jp2"sv, ".jpx"sv,  ".j2k"sv,   ".j2c"sv,  ".jpc"sv,  ".jxl"sv,  ".ras"sv};
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace media
