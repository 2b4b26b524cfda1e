// OpenJPEG itself instead of OpenCV, which up to 4.6 at least writes to std::cerr about each
// damaged file, whatever its log level and error handler are.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <openjpeg.h>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/color.h>
#include <media/codecs/jpeg_2000_header.h>

namespace media {
namespace {

constexpr const char* kFormat = "JPEG 2000";

/// OpenJPEG's state. Its messages, which come from C code, are kept instead of printed.
class Jpeg2000Reader {
 public:
  explicit Jpeg2000Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  /// False where the file is damaged or cut off; see reason().
  bool read_header() {
    const bool bare = is_bare_jpeg_2000(bytes_);
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
  check_jpeg_2000(file);
  Jpeg2000Reader reader(file.bytes);
  if (!reader.read_header()) refuse(file, kFormat, reader.reason());
  const opj_image_t& image = reader.image();
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
