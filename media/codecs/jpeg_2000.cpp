// OpenJPEG itself instead of OpenCV, which up to 4.6 at least writes to std::cerr about each
// damaged file, whatever its log level and error handler are.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <openjpeg.h>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/color.h>

namespace media {
namespace {

constexpr const char* kFormat = "JPEG 2000";
constexpr int64_t kMostComponents = 4;
constexpr uint8_t kCodestream[] = {0xFF, 0x4F, 0xFF, 0x51};  // its first marker, then the size's

/// What the codestream's header claims. A JP2 file wraps the codestream into boxes.
struct Header {
  uint64_t end = 0;  ///< where the segments behind the size begin
  int64_t width = 0, height = 0, tiles = 0;
};

Header read_header(const Encoded& file) {
  // Behind the size marker: length, capabilities, then extent and offset of the reference grid,
  // extent and offset of its tiles, and the number of components.
  const auto at = std::search(file.bytes.begin(), file.bytes.end(), std::begin(kCodestream),
                              std::end(kCodestream));
  const ByteView view(file.bytes, true);
  const auto start = static_cast<uint64_t>(at - file.bytes.begin());
  const uint64_t size = start + 8;
  if (!view.has(size, 34)) refuse(file, kFormat, "it has no picture");
  const auto number = [&](uint64_t index) { return int64_t{view.u32(size + 4 * index)}; };
  Header header{start + 4 + view.u16(start + 4)};
  header.width = number(0) - number(2);
  header.height = number(1) - number(3);
  check_size(file, kFormat, header.width, header.height);
  check_empty(file, kFormat, header.width * header.height);

  const int64_t components = view.u16(size + 32);
  if (components < 1 || components > kMostComponents)
    refuse(file, kFormat, components, " components are not supported, only 1 to ", kMostComponents);
  // A palette makes three of one.
  check_memory(file, kFormat, header.width * header.height,
               std::max<int64_t>(components, 3) * int64_t{sizeof(int32_t)});

  // OpenJPEG keeps 17 kilobytes for each tile that the header claims.
  const int64_t tile_width = number(4), tile_height = number(5);
  const int64_t left = number(6), top = number(7);
  if (tile_width == 0 || tile_height == 0 || left > number(2) || top > number(3))
    refuse(file, kFormat, "its tiles do not cover it");
  const auto count = [](int64_t length, int64_t step) { return (length + step - 1) / step; };
  header.tiles = count(number(0) - left, tile_width) * count(number(1) - top, tile_height);
  constexpr int64_t kFewTiles = 1024, kSmallTile = 64 * 64;
  if (header.tiles > kFewTiles && tile_width * tile_height < kSmallTile)
    refuse(file, kFormat, header.tiles, " tiles of ", tile_width, " x ", tile_height,
           " pixels are too many; tiles of ", kSmallTile, " pixels and more can be read");
  return header;
}

/// Throws unless each tile of the picture has data. OpenJPEG leaves those without black.
void check_tiles(const Encoded& file, const Header& header) {
  constexpr uint32_t kTilePart = 0xFF90, kFirstSegment = 0xFF4F;
  const ByteView view(file.bytes, true);
  std::vector<bool> seen(static_cast<size_t>(
      std::min<int64_t>(header.tiles, static_cast<int64_t>(file.bytes.size()))));
  int64_t found = 0;
  for (uint64_t at = header.end; view.has(at, 4) && view.u16(at) >= kFirstSegment;) {
    if (view.u16(at) != kTilePart) {
      at += 2 + view.u16(at + 2);
      continue;
    }
    if (!view.has(at, 12)) break;
    const size_t tile = view.u16(at + 4);
    if (tile < seen.size() && !seen[tile]) {
      seen[tile] = true;
      ++found;
    }
    const uint64_t length = view.u32(at + 6);
    if (length == 0) break;  // it lasts to the end
    at += length;
  }
  if (found < header.tiles)
    refuse(file, kFormat, "it has ", found, " of its ", header.tiles,
           " tiles; the file is cut off or damaged");
}

/// OpenJPEG's state. Its messages, which come from C code, are kept instead of printed.
class Jpeg2000Reader {
 public:
  explicit Jpeg2000Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  /// False where the file is damaged or cut off; see reason().
  bool read_header() {
    const bool bare = std::equal(std::begin(kCodestream), std::end(kCodestream), bytes_.begin());
    codec_.reset(opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2));
    stream_.reset(opj_stream_create(size_t{1} << 16, OPJ_TRUE));
    if (!codec_ || !stream_) return false;
    opj_set_error_handler(
        codec_.get(),
        [](const char* message, void* reader) {
          static_cast<Jpeg2000Reader*>(reader)->keep(message);
        },
        this);
    opj_stream_set_user_data(stream_.get(), this, nullptr);
    opj_stream_set_user_data_length(stream_.get(), bytes_.size());
    opj_stream_set_read_function(stream_.get(), on_read);
    opj_stream_set_skip_function(stream_.get(), on_skip);
    opj_stream_set_seek_function(stream_.get(), on_seek);
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    opj_image_t* image = nullptr;
    const bool read = opj_setup_decoder(codec_.get(), &parameters) &&
                      opj_read_header(stream_.get(), codec_.get(), &image);
    image_.reset(image);
    return read && image;
  }

  bool decode() {
    return opj_decode(codec_.get(), stream_.get(), image_.get()) &&
           opj_end_decompress(codec_.get(), stream_.get());
  }

  const opj_image_t& image() const { return *image_; }
  const char* reason() const {
    return *reason_ ? reason_ : "the data is damaged or of an unknown kind";
  }

 private:
  static Jpeg2000Reader& self(void* reader) { return *static_cast<Jpeg2000Reader*>(reader); }

  static OPJ_SIZE_T on_read(void* out, OPJ_SIZE_T count, void* user) {
    Jpeg2000Reader& reader = self(user);
    const size_t given = std::min<size_t>(count, reader.bytes_.size() - reader.position_);
    if (given == 0) return static_cast<OPJ_SIZE_T>(-1);
    std::memcpy(out, reader.bytes_.data() + reader.position_, given);
    reader.position_ += given;
    return given;
  }
  static OPJ_OFF_T on_skip(OPJ_OFF_T count, void* user) {
    Jpeg2000Reader& reader = self(user);
    if (count < 0 || static_cast<uint64_t>(count) > reader.bytes_.size() - reader.position_)
      return -1;
    reader.position_ += static_cast<size_t>(count);
    return count;
  }
  static OPJ_BOOL on_seek(OPJ_OFF_T position, void* user) {
    Jpeg2000Reader& reader = self(user);
    if (position < 0 || static_cast<uint64_t>(position) > reader.bytes_.size()) return OPJ_FALSE;
    reader.position_ = static_cast<size_t>(position);
    return OPJ_TRUE;
  }

  /// Keeps the first error, without the line's end; the ones after it are its consequences.
  void keep(const char* message) {
    if (*reason_) return;
    std::snprintf(reason_, sizeof(reason_), "%s", message);
    reason_[std::strcspn(reason_, "\n")] = '\0';
  }

  template <auto destroy>
  struct Destroy {
    void operator()(auto* object) const { destroy(object); }
  };

  std::span<const uint8_t> bytes_;
  size_t position_ = 0;
  std::unique_ptr<opj_codec_t, Destroy<opj_destroy_codec>> codec_;
  std::unique_ptr<opj_stream_t, Destroy<opj_stream_destroy>> stream_;
  std::unique_ptr<opj_image_t, Destroy<opj_image_destroy>> image_;
  char reason_[256] = "";
};

/// The samples of one component, as 0 to 255.
class Component {
 public:
  explicit Component(const opj_image_comp_t& component)
      : component_(component),
        most_((int64_t{1} << component.prec) - 1),
        offset_(component.sgnd ? int64_t{1} << (component.prec - 1) : 0) {}

  /// At a pixel of the picture; a component with fewer samples than that repeats them.
  int at(int64_t x, int64_t y) const {
    const int64_t column = std::min<int64_t>(x / component_.dx, component_.w - 1);
    const int64_t row = std::min<int64_t>(y / component_.dy, component_.h - 1);
    const int64_t value =
        std::clamp<int64_t>(component_.data[row * component_.w + column] + offset_, 0, most_);
    // The high byte, or stretched to 0..255.
    return static_cast<int>(component_.prec >= 8 ? value >> (component_.prec - 8)
                                                 : value * 255 / most_);
  }

 private:
  const opj_image_comp_t& component_;
  int64_t most_, offset_;
};

std::vector<Component> components(const Encoded& file, const opj_image_t& image) {
  std::vector<Component> result;
  for (uint32_t i = 0; i < image.numcomps; ++i) {
    const opj_image_comp_t& component = image.comps[i];
    if (!component.data || component.w == 0 || component.h == 0 || component.dx == 0 ||
        component.dy == 0 || component.prec < 1 || component.prec > 16)
      refuse(file, kFormat, "component ", i, " has no samples of 1 to 16 bits");
    result.emplace_back(component);
  }
  return result;
}

}  // namespace

Decoded decode_jpeg_2000(const Encoded& file) {
  check_tiles(file, read_header(file));
  Jpeg2000Reader reader(file.bytes);
  if (!reader.read_header()) refuse(file, kFormat, reader.reason());
  const opj_image_t& image = reader.image();
  if (image.numcomps < 1 || image.numcomps > kMostComponents)
    refuse(file, kFormat, image.numcomps, " components are not supported, only 1 to ",
           kMostComponents);
  const int64_t width = int64_t{image.x1} - image.x0, height = int64_t{image.y1} - image.y0;
  check_size(file, kFormat, width, height);
  check_empty(file, kFormat, width * height);
  if (!reader.decode()) refuse(file, kFormat, reader.reason());

  const auto parts = components(file, image);  // a palette has been applied by now
  const bool ink = image.color_space == OPJ_CLRSPC_CMYK && parts.size() == 4;
  const bool chroma = image.color_space == OPJ_CLRSPC_SYCC && parts.size() >= 3;
  Decoded picture{at::empty({height, width, 3}, at::kByte)};
  uint8_t* out = picture.rgb.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x, out += 3) {
      const int first = parts[0].at(x, y);
      if (parts.size() < 3) {
        std::memset(out, first, 3);
        continue;
      }
      const int second = parts[1].at(x, y), third = parts[2].at(x, y);
      if (ink) {
        cmyk_to_rgb(first, second, third, parts[3].at(x, y), out);
      } else if (chroma) {
        ycbcr_to_rgb(first, second, third, out);
      } else {
        out[0] = static_cast<uint8_t>(first);
        out[1] = static_cast<uint8_t>(second);
        out[2] = static_cast<uint8_t>(third);
      }
    }
  return picture;
}

}  // namespace media
