// Read here instead of by OpenCV, which prints a message for a file that ends early and does not
// stretch samples whose maximum is not 255.
#include <cctype>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>

namespace media {
namespace {

constexpr const char* kFormat = "PNM";

/// The numbers of a PNM header or of a text picture.
class Numbers {
 public:
  explicit Numbers(const Encoded& file) : file_(file) {}

  /// The next number, at most 2^31 - 1. Comments run from # to the end of the line.
  int64_t next() {
    skip_space();
    if (at_ >= file_.bytes.size()) refuse(file_, kFormat, "the file ends early");
    if (!std::isdigit(file_.bytes[at_])) refuse(file_, kFormat, "expected a number");
    int64_t value = 0;
    while (at_ < file_.bytes.size() && std::isdigit(file_.bytes[at_])) {
      value = value * 10 + (file_.bytes[at_++] - '0');
      if (value > INT32_MAX) refuse(file_, kFormat, "a number is too large");
    }
    return value;
  }

  /// The next 0 or 1 of a text bitmap, which need no space between them.
  int64_t next_bit() {
    skip_space();
    if (at_ >= file_.bytes.size()) refuse(file_, kFormat, "the file ends early");
    const uint8_t digit = file_.bytes[at_++];
    if (digit != '0' && digit != '1') refuse(file_, kFormat, "expected 0 or 1");
    return digit - '0';
  }

  size_t position() const { return at_; }

 private:
  void skip_space() {
    for (; at_ < file_.bytes.size(); ++at_) {
      if (file_.bytes[at_] == '#')
        while (at_ + 1 < file_.bytes.size() && file_.bytes[at_] != '\n') ++at_;
      else if (!std::isspace(file_.bytes[at_]))
        return;
    }
  }

  const Encoded& file_;
  size_t at_ = 2;  // behind the P and its digit
};

}  // namespace

Decoded decode_pnm(const Encoded& file) {
  const int kind = file.bytes[1] - '0';  // P1 to P3 are text, P4 to P6 binary
  const bool text = kind <= 3, bitmap = kind == 1 || kind == 4, color = kind == 3 || kind == 6;
  Numbers numbers(file);
  const int64_t width = numbers.next(), height = numbers.next();
  const int64_t most = bitmap ? 1 : numbers.next();
  check_size(file, kFormat, width, height);
  if (most < 1 || most > 65535) refuse(file, kFormat, "a maximum of ", most);

  const int64_t channels = color ? 3 : 1, wide = most > 255 ? 2 : 1;
  const int64_t row = bitmap ? (width + 7) / 8 : width * channels * wide;
  const size_t start = numbers.position() + 1;  // one byte of space ends a binary header
  // Text needs a digit per sample, and a space where it is not a bitmap.
  const int64_t needed = text ? width * height * channels * (bitmap ? 1 : 2) - 1 : row * height;
  if (static_cast<int64_t>(file.bytes.size()) - static_cast<int64_t>(start) < needed)
    refuse(file, kFormat, "the picture data ends early");

  // Samples of 16 bits keep their high byte, others are stretched to 0..255.
  const auto level = [&](int64_t value) {
    if (value > most) refuse(file, kFormat, "a sample of ", value, " above the maximum of ", most);
    return static_cast<uint8_t>(most == 65535 ? value >> 8 : (value * 255 + most / 2) / most);
  };
  const auto sample = [&](int64_t y, int64_t i) -> uint8_t {
    const uint8_t* in = file.bytes.data() + start + y * row;
    switch (kind) {
      case 1:
        return numbers.next_bit() ? 0 : 255;
      case 4:
        return in[i / 8] >> (7 - i % 8) & 1 ? 0 : 255;
      case 2:
      case 3:
        return level(numbers.next());
      default:
        return level(wide == 1 ? in[i] : in[2 * i] << 8 | in[2 * i + 1]);
    }
  };
  Decoded picture{at::empty({height, width, 3}, at::kByte)};
  uint8_t* out = picture.rgb.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x, out += 3) {
      out[0] = sample(y, color ? 3 * x : x);
      out[1] = color ? sample(y, 3 * x + 1) : out[0];
      out[2] = color ? sample(y, 3 * x + 2) : out[0];
    }
  return picture;
}

}  // namespace media
