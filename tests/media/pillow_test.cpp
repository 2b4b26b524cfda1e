// Odd but valid pictures, and what Pillow makes of them.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>
#include <zlib.h>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/image.h>
#include <vit/weights/files/safetensors.h>

namespace {

const std::string kFolder = "media/pillow/";

at::Tensor decode(const std::string& name, vit::Transparency transparency) {
  std::ifstream file(test::data(kFolder + name), std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  return media::decode({.bytes = bytes, .name = name, .transparency = transparency});
}

uint32_t checksum(const at::Tensor& rgb) {
  const at::Tensor pixels = rgb.contiguous();
  return static_cast<uint32_t>(
      crc32(0, pixels.const_data_ptr<uint8_t>(), static_cast<uInt>(pixels.numel())));
}

/// Whether this build cannot read the file's format.
bool is_left_out(const std::string& name) {
  return !VITOME_HAS_JPEG_2000 && (name.ends_with(".jp2") || name.ends_with(".j2k"));
}

}  // namespace

TEST_CASE("Odd pictures are what Pillow makes of them, but where the difference is said") {
  const auto manifest = test::read_json(test::data(kFolder + "manifest.json"));
  const auto lossy = vit::read_safetensors(test::data(kFolder + "lossy.safetensors"));
  size_t onto_white = 0;
  for (const auto& [name, entry] : manifest["files"].items()) {
    INFO(name << ": " << entry.dump());
    if (is_left_out(name)) continue;
    if (entry.contains("refused")) {
      CHECK_THROWS_WITH(decode(name, vit::Transparency::dropped),
                        Catch::ContainsSubstring(entry["refused"].get<std::string>()));
      continue;
    }
    const at::Tensor rgb = decode(name, vit::Transparency::dropped);
    if (entry.contains("pillow_refuses")) {
      CHECK(rgb.numel() > 0);
      continue;
    }
    REQUIRE(rgb.sizes() ==
            at::IntArrayRef{entry["height"].get<int64_t>(), entry["width"].get<int64_t>(), 3});
    if (const auto pixels = lossy.find(name); pixels != lossy.end()) {
      // L*a*b* goes through a table in Pillow; other versions of a codec may round otherwise.
      const double tolerance = name == "lab.tif" ? 1 : 3;
      CHECK(test::max_difference(rgb, pixels->second) <= tolerance);
      continue;
    }
    CHECK(checksum(rgb) == entry["crc32"].get<uint32_t>());
    const char* key = entry.contains("onto_white_crc32") ? "onto_white_crc32" : "crc32";
    CHECK(checksum(decode(name, vit::Transparency::color_key_white)) == entry[key].get<uint32_t>());
    onto_white += entry.contains("onto_white_crc32") ? 1 : 0;
  }
  CHECK(onto_white > 20);
}

TEST_CASE("Transparent pixels keep their stored colour unless they are wanted on white") {
  const auto path = test::data(kFolder + "key_palette.png");
  CHECK(test::same(media::read_image(path), decode("key_palette.png", vit::Transparency::dropped)));
  CHECK_FALSE(test::same(media::read_image(path),
                         decode("key_palette.png", vit::Transparency::color_key_white)));
}
