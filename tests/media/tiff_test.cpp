#include "tests/media/quiet.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <ATen/ATen.h>

#include <media/image.h>
#include <vit/error.h>

namespace {

using Bytes = std::vector<uint8_t>;

Bytes read_bytes(const std::string& name) {
  std::ifstream file(test::data("media/kinds/" + name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Why the file is refused.
std::string refusal(const Bytes& bytes) {
  try {
    media::decode_image(bytes, "sample");
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "not refused";
}

// Some of TIFF's tags.
constexpr uint32_t kWidth = 256, kHeight = 257, kBits = 258, kCompression = 259, kColours = 262,
                   kStrips = 273, kSamples = 277, kRowsPerStrip = 278, kLengths = 279,
                   kTileWidth = 322, kTileHeight = 323, kTileOffsets = 324, kTileLengths = 325,
                   kFormat = 339;

/// A little-endian file of `size` bytes with these tags, all of them single numbers of 32 bits, in
/// front of zeros; as BigTIFF with tags of 64 bits.
Bytes tiff(const std::map<uint32_t, uint64_t>& tags, size_t size, bool big = false) {
  Bytes bytes;
  const auto put = [&](uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
  };
  bytes = {'I', 'I'};
  put(big ? 43 : 42, 2);
  if (big) put(8, 4);  // the width of offsets, and two bytes of 0
  put(big ? 16 : 8, big ? 8 : 4);
  put(tags.size(), big ? 8 : 2);
  for (const auto& [tag, value] : tags) {
    put(tag, 2);
    put(big ? 16 : 4, 2);  // the type
    put(1, big ? 8 : 4);
    put(value, big ? 8 : 4);
  }
  bytes.resize(std::max(size, bytes.size() + 8));
  return bytes;
}

/// A gray picture of 8 bits and 16 x 16 pixels in one strip, and what is different.
std::map<uint32_t, uint64_t> gray(const std::map<uint32_t, uint64_t>& changes) {
  std::map<uint32_t, uint64_t> tags = {{kWidth, 16},   {kHeight, 16}, {kBits, 8},     {kColours, 1},
                                       {kStrips, 300}, {kSamples, 1}, {kLengths, 256}};
  for (const auto& [tag, value] : changes) tags[tag] = value;
  return tags;
}

long peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("TIFF headers that claim too much are refused without large allocations") {
  const std::map<uint32_t, uint64_t> tiled = {
      {kWidth, 16},        {kHeight, 16},       {kBits, 8},
      {kColours, 1},       {kSamples, 1},       {kTileWidth, 16384},
      {kTileHeight, 8192}, {kTileOffsets, 300}, {kTileLengths, 256}};
  REQUIRE(refusal(tiff(gray({}), 600)) == "not refused");
  REQUIRE(refusal(tiff(gray({}), 600, true)) == "not refused");

  test::CapturedStderr captured;
  const long before = peak_memory_kib();
  const auto too_many = Catch::ContainsSubstring("too many");
  const auto cannot_hold = Catch::ContainsSubstring("cannot hold");
  for (const bool big : {false, true}) {
    INFO(big);
    const auto with = [&](const std::map<uint32_t, uint64_t>& changes) {
      return refusal(tiff(gray(changes), 600, big));
    };
    CHECK_THAT(with({{kWidth, 0}}), Catch::ContainsSubstring("cannot read this TIFF file"));
    CHECK_THAT(with({{kWidth, 60000}, {kHeight, 60000}}), too_many);
    CHECK_THAT(with({{kWidth, 13000}, {kHeight, 13000}}), cannot_hold);
    CHECK_THAT(with({{kWidth, 13000}, {kHeight, 13000}, {kCompression, 8}}), cannot_hold);
    CHECK_THAT(with({{kLengths, 0xFFFFFFFF}, {kCompression, 5}}),
               Catch::ContainsSubstring("cannot read this TIFF file"));
    CHECK_THAT(with({{kStrips, 0x7FFFFFFF}}),
               Catch::ContainsSubstring("cannot read this TIFF file"));
    CHECK_THAT(with({{kHeight, 0xFFFFFFFF}, {kRowsPerStrip, 1}}),
               Catch::ContainsSubstring("cannot read this TIFF file"));
    CHECK_THAT(refusal(tiff(tiled, 600, big)), cannot_hold);
  }
  CHECK(peak_memory_kib() - before < 64 * 1024);
  CHECK(captured.text() == "");
}

TEST_CASE("TIFF pictures that are not supported are refused with the reason") {
  const auto with = [](const std::map<uint32_t, uint64_t>& changes) {
    return refusal(tiff(gray(changes), 2000));
  };
  const auto samples = Catch::ContainsSubstring("unsigned integers of 1, 2, 4, 8 or 16 bits");
  CHECK_THAT(with({{kFormat, 2}}),
             samples && Catch::ContainsSubstring("1 signed or floating samples of 8 bits"));
  CHECK_THAT(with({{kFormat, 3}, {kBits, 32}, {kLengths, 1024}}), samples);
  CHECK_THAT(with({{kBits, 32}, {kLengths, 1024}}),
             samples && Catch::ContainsSubstring("1 samples of 32 bits"));
  CHECK_THAT(with({{kSamples, 7}, {kLengths, 1700}}), samples);
  CHECK_THAT(with({{kColours, 2}}),
             Catch::ContainsSubstring("1 samples of 8 bits make no picture"));
  CHECK_THAT(with({{kColours, 3}}), Catch::ContainsSubstring("its palette is missing"));
  CHECK_THAT(with({{kColours, 32844}}),
             Catch::ContainsSubstring("(photometric interpretation 32844) is not supported"));
  CHECK_THAT(with({{kCompression, 12345}}), Catch::ContainsSubstring("cannot read this TIFF file"));
}

TEST_CASE("JPEG data within TIFF that end early are refused") {
  for (const char* name : {"lossy_ycbcr_jpeg.tif", "lossy_gray_jpeg.tif"}) {
    INFO(name);
    Bytes bytes = read_bytes(name);
    constexpr uint8_t kScan[] = {0xFF, 0xDA}, kEnd[] = {0xFF, 0xD9};
    const auto scan = std::search(bytes.begin(), bytes.end(), std::begin(kScan), std::end(kScan));
    const auto end = std::search(scan, bytes.end(), std::begin(kEnd), std::end(kEnd));
    REQUIRE(end != bytes.end());
    std::copy(std::begin(kEnd), std::end(kEnd), scan + (end - scan) / 2);
    CHECK_THAT(refusal(bytes), Catch::ContainsSubstring("premature end"));
  }
}
