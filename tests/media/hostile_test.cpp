// Headers of formats with decoders that allocate by them.
#include "tests/media/quiet.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <media/codecs/codec.h>
#include <media/image.h>
#include <vit/error.h>

namespace {

using Bytes = std::vector<uint8_t>;

Bytes read_bytes(const std::string& name) {
  std::ifstream file(test::data("media/" + name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Why the file is refused.
std::string refusal(const media::Encoded& file) {
  try {
    media::decode(file);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "not refused";
}
std::string refusal(const Bytes& bytes) { return refusal({bytes, "sample"}); }

/// Where `what` begins in `bytes`.
size_t find(const Bytes& bytes, const Bytes& what) {
  const auto at = std::search(bytes.begin(), bytes.end(), what.begin(), what.end());
  REQUIRE(at != bytes.end());
  return static_cast<size_t>(at - bytes.begin());
}

void put(Bytes& bytes, size_t at, uint64_t value, int width, bool big_endian) {
  for (int i = 0; i < width; ++i)
    bytes[at + static_cast<size_t>(big_endian ? width - 1 - i : i)] =
        static_cast<uint8_t>(value >> 8 * i);
}

/// A JPEG 2000 codestream whose header claims another extent and other tiles.
Bytes jpeg_2000(uint32_t width, uint32_t height, uint32_t tile_width, uint32_t tile_height) {
  Bytes bytes = read_bytes("kinds/tiles.j2k");
  size_t at = find(bytes, {0xFF, 0x4F, 0xFF, 0x51}) + 8;
  for (const uint32_t value : {width, height, 0u, 0u, tile_width, tile_height, 0u, 0u}) {
    put(bytes, at, value, 4, true);
    at += 4;
  }
  return bytes;
}

/// The same with another number of layers, extent of blocks and, for all resolutions, of precincts,
/// which are two exponents in a byte.
Bytes jpeg_2000_coding(uint32_t side, uint32_t layers, uint32_t block, uint32_t precinct) {
  Bytes bytes = jpeg_2000(side, side, side, side);
  const size_t at = find(bytes, {0xFF, 0x52, 0x00, 0x0C});
  constexpr uint32_t kLevels = 4;
  REQUIRE(bytes[at + 9] == kLevels);
  put(bytes, at + 6, layers, 2, true);
  bytes[at + 10] = bytes[at + 11] = static_cast<uint8_t>(block);
  put(bytes, at + 2, 12 + kLevels + 1, 2, true);
  bytes[at + 4] = 1;
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at) + 14, kLevels + 1,
               static_cast<uint8_t>(precinct));
  return bytes;
}

/// An AVIF file that claims another extent.
Bytes avif(uint32_t width, uint32_t height) {
  Bytes bytes = read_bytes("pillow/avif_o1.avif");
  const size_t at = find(bytes, {'i', 's', 'p', 'e'}) + 8;
  put(bytes, at, width, 4, true);
  put(bytes, at + 4, height, 4, true);
  return bytes;
}

/// A GIF that claims another canvas and frame.
Bytes gif(uint32_t canvas_width, uint32_t canvas_height, uint32_t width, uint32_t height) {
  Bytes bytes = read_bytes("pillow/gif_no_palette.gif");
  put(bytes, 6, canvas_width, 2, false);
  put(bytes, 8, canvas_height, 2, false);
  const size_t at = find(bytes, {','});
  put(bytes, at + 5, width, 2, false);
  put(bytes, at + 7, height, 2, false);
  return bytes;
}

long peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE(
    "GIF, AVIF and JPEG 2000 headers that claim too much are refused before memory is taken") {
  REQUIRE(refusal(read_bytes("pillow/avif_o1.avif")) == "not refused");
  REQUIRE(refusal(read_bytes("pillow/gif_no_palette.gif")) == "not refused");

  test::CapturedStderr captured;
  const long before = peak_memory_kib();
  const auto too_many = Catch::ContainsSubstring("too many");
  const auto cannot_hold = Catch::ContainsSubstring("cannot hold");
  CHECK_THAT(refusal(gif(65535, 65535, 23, 17)), too_many);
  CHECK_THAT(refusal(gif(13000, 13000, 23, 17)), cannot_hold);
  CHECK_THAT(refusal(gif(23, 17, 13000, 13000)), cannot_hold);
  CHECK_THAT(refusal(gif(23, 17, 60000, 60000)), too_many);
  CHECK_THAT(refusal(gif(23, 17, 0, 17)), Catch::ContainsSubstring("is empty"));
  CHECK_THAT(refusal(gif(23, 17, 23, 18)), Catch::ContainsSubstring("cannot read this GIF file"));

  CHECK_THAT(refusal(avif(60000, 60000)), Catch::ContainsSubstring("cannot read this AVIF file"));
  CHECK_THAT(refusal(avif(13000, 13000)), cannot_hold);
  CHECK_THAT(refusal(avif(0, 13000)), Catch::ContainsSubstring("cannot read this AVIF file"));

  if (VITOME_HAS_JPEG_2000) {
    CHECK_THAT(refusal(jpeg_2000(16, 1'000'000, 16, 16)),
               Catch::ContainsSubstring("62500 tiles of 16 x 16 pixels are too many"));
    CHECK_THAT(refusal(jpeg_2000(17, 1'000'000, 64, 64)), cannot_hold);
    CHECK_THAT(refusal(jpeg_2000(64, 250'000, 64, 64)),
               Catch::ContainsSubstring("of its 3907 tiles"));
    CHECK_THAT(refusal(jpeg_2000(170, 1'000'000, 170, 1'000'000)), cannot_hold);
    CHECK_THAT(refusal(jpeg_2000(1'000'000, 1'000'000, 64, 64)), too_many);
    CHECK_THAT(refusal(jpeg_2000(20, 30, 0, 0)), Catch::ContainsSubstring("do not cover it"));
    CHECK_THAT(refusal(jpeg_2000_coding(1024, 1, 4, 0x11)),
               Catch::ContainsSubstring("precincts in 1 layers are too many"));
    CHECK_THAT(refusal(jpeg_2000_coding(1024, 65535, 4, 0x88)),
               Catch::ContainsSubstring("precincts in 65535 layers are too many"));
    CHECK_THAT(refusal(jpeg_2000_coding(1024, 1, 0, 0xFF)),
               Catch::ContainsSubstring("blocks of 16 samples are too small"));
  }
  CHECK(peak_memory_kib() - before < 64 * 1024);
  CHECK(captured.text() == "");
}

TEST_CASE("A JPEG 2000 without data for one of its tiles is refused") {
  if (!VITOME_HAS_JPEG_2000) return;
  Bytes bytes = read_bytes("kinds/tiles.j2k");
  REQUIRE(refusal(bytes) == "not refused");
  const Bytes part = {0xFF, 0x90, 0x00, 0x0A};  // begins the data of a tile, whose number follows
  const size_t second = find(bytes, part) + 4;
  const auto at = std::search(bytes.begin() + static_cast<std::ptrdiff_t>(second), bytes.end(),
                              part.begin(), part.end());
  REQUIRE(at != bytes.end());
  bytes.resize(static_cast<size_t>(at - bytes.begin()));
  CHECK_THAT(refusal(bytes), Catch::ContainsSubstring("it has 1 of its"));
}

TEST_CASE("The header that counts in a JP2 file is that of its codestream") {
  if (!VITOME_HAS_JPEG_2000) return;
  // A box in front of it holds a modest codestream, which is nobody's picture.
  const Bytes good = read_bytes("kinds/lossless.jp2"), decoy = read_bytes("kinds/lossless.j2k");
  const size_t box = find(good, {'j', 'p', '2', 'c'}) - 4;
  const auto with_decoy = [&](Bytes bytes) {
    Bytes inserted(8);
    put(inserted, 0, decoy.size() + 8, 4, true);
    std::copy_n("free", 4, inserted.begin() + 4);
    inserted.insert(inserted.end(), decoy.begin(), decoy.end());
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(box), inserted.begin(),
                 inserted.end());
    return bytes;
  };
  REQUIRE(refusal(with_decoy(good)) == "not refused");
  Bytes large = good;
  const size_t size = find(large, {0xFF, 0x4F, 0xFF, 0x51}) + 8;
  put(large, size, 100'000, 4, true);
  put(large, size + 4, 100'000, 4, true);
  CHECK_THAT(refusal(with_decoy(large)), Catch::ContainsSubstring("100000 x 100000 pixels"));
}

TEST_CASE("A decoder may be given fewer pixels than others") {
  const Bytes bytes = read_bytes("pillow/gif_no_palette.gif");  // 23 x 17
  CHECK(refusal({bytes, "sample", vit::Transparency::dropped, 23 * 17}) == "not refused");
  CHECK_THAT(refusal({bytes, "sample", vit::Transparency::dropped, 23 * 17 - 1}),
             Catch::ContainsSubstring("23 x 17 pixels are too many; at most 390"));
}
