// libtiff decodes fax itself, but up to 4.5.1 at least not one-dimensional rows whose runs are all
// one pixel long and begin with black, as an even gray that was dithered has them: it counts one
// run too few.
#include "media/codecs/fax.h"

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace media {
namespace {

// T.4's codes for runs of 0 to 63 pixels, then for 64, 128 … 1728, which another code follows.
constexpr std::string_view kWhiteCodes =
    "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 "
    "110101 101010 101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 "
    "0100100 0011000 00000010 00000011 00011010 00011011 00010010 00010011 00010100 00010101 "
    "00010110 00010111 00101000 00101001 00101010 00101011 00101100 00101101 00000100 00000101 "
    "00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000 01011001 "
    "01011010 01011011 01001010 01001011 00110010 00110011 00110100 "
    "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 "
    "011001101 011010010 011010011 011010100 011010101 011010110 011010111 011011000 011011001 "
    "011011010 011011011 010011000 010011001 010011010 011000 010011011 ";
constexpr std::string_view kBlackCodes =
    "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 "
    "00000111 000011000 0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 "
    "00000110111 00000101000 00000010111 00000011000 000011001010 000011001011 000011001100 "
    "000011001101 000001101000 000001101001 000001101010 000001101011 000011010010 000011010011 "
    "000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 "
    "000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 000001100101 "
    "000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 "
    "000001011000 000001011001 000000101011 000000101100 000001011010 000001100110 000001100111 "
    "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 "
    "0000001101100 0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 "
    "0000001110010 0000001110011 0000001110100 0000001110101 0000001110110 0000001110111 "
    "0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 0000001011011 "
    "0000001100100 0000001100101 ";
// And for 1792, 1856 … 2560 of either colour.
constexpr std::string_view kLongCodes =
    "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 "
    "000000010110 000000010111 000000011100 000000011101 000000011110 000000011111 ";
constexpr int kLongest = 13;    // bits of a code
constexpr int kEndOfLine = 11;  // zeros, at least, and a one

/// What the next bits mean.
struct Run {
  int16_t length = 0;
  uint8_t bits = 0;  ///< of the code, 0 for none
};

/// The run for each value of the next kLongest bits.
using Runs = std::array<Run, 1 << kLongest>;

Runs read_codes(std::string_view codes) {
  Runs runs{};
  int index = 0, value = 0, bits = 0;
  for (const std::string_view part : {codes, kLongCodes})
    for (const char c : part) {
      if (c != ' ') {
        value = value << 1 | (c - '0');
        ++bits;
        continue;
      }
      const int length = index < 64 ? index : (index - 63) * 64;
      const auto first = static_cast<size_t>(value) << (kLongest - bits);
      for (size_t i = 0; i < size_t{1} << (kLongest - bits); ++i)
        runs[first + i] = {static_cast<int16_t>(length), static_cast<uint8_t>(bits)};
      ++index;
      value = bits = 0;
    }
  return runs;
}

class Bits {
 public:
  explicit Bits(std::span<const uint8_t> data) : data_(data), end_(int64_t(data.size()) * 8) {}

  bool at_end() const { return position_ >= end_; }
  void skip(int count) { position_ += count; }
  void align(int bits) { position_ = (position_ + bits - 1) / bits * bits; }
  /// The next bits, of which those behind the end are 0.
  uint32_t peek(int count) const {
    uint32_t value = 0;
    for (int64_t byte = position_ / 8, i = 0; i < 3; ++i)
      value = value << 8 |
              (byte + i < int64_t(data_.size()) ? data_[static_cast<size_t>(byte + i)] : 0u);
    return value >> (24 - position_ % 8 - count) & ((1u << count) - 1);
  }

 private:
  std::span<const uint8_t> data_;
  int64_t position_ = 0, end_;
};

void blacken(uint8_t* row, int64_t from, int64_t to) {
  for (int64_t x = from; x < to; ++x)
    if (x % 8 == 0 && to - x >= 8) {
      row[x / 8] = 0xFF;
      x += 7;
    } else {
      row[x / 8] = static_cast<uint8_t>(row[x / 8] | 0x80 >> x % 8);
    }
}

/// Steps over an end-of-line code and the zeros in front of it, if one comes next.
void skip_end_of_line(Bits& bits) {
  if (bits.peek(kEndOfLine) != 0) return;
  while (!bits.at_end() && bits.peek(1) == 0) bits.skip(1);
  bits.skip(1);
}

bool decode_row(Bits& bits, int64_t width, uint8_t* row) {
  static const Runs white = read_codes(kWhiteCodes), black = read_codes(kBlackCodes);
  bool is_black = false;
  for (int64_t x = 0; x < width;) {
    const Run run = (is_black ? black : white)[bits.peek(kLongest)];
    if (run.bits == 0 || bits.at_end() || run.length > width - x) return false;
    bits.skip(run.bits);
    if (is_black) blacken(row, x, x + run.length);
    x += run.length;
    if (run.length < 64) is_black = !is_black;
  }
  return true;
}

}  // namespace

bool decode_fax(std::span<const uint8_t> data, FaxRows order, int64_t width, int64_t rows,
                uint8_t* out) {
  Bits bits(data);
  const int64_t row_bytes = (width + 7) / 8;
  std::memset(out, 0, static_cast<size_t>(row_bytes * rows));
  for (int64_t y = 0; y < rows; ++y) {
    if (order == FaxRows::end_markers)
      skip_end_of_line(bits);
    else
      bits.align(order == FaxRows::bytes ? 8 : 16);
    if (!decode_row(bits, width, out + y * row_bytes)) return false;
  }
  return true;
}

}  // namespace media
