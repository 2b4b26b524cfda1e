#include "tests/media/quiet.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/write_png.h>
#include <vit/error.h>
#include <vit/weights/files/safetensors.h>

namespace {

namespace fs = std::filesystem;

/// Why a file is refused.
std::string refusal(const fs::path& path) {
  try {
    media::read_image(path);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "not refused";
}

/// Means of 8 x 8 blocks, [3, 8, 8].
at::Tensor block_means(const at::Tensor& rgb) {
  const auto edge = [](int64_t side, int64_t i) { return i * side / 8; };
  at::Tensor means = at::empty({3, 8, 8}, at::kDouble);
  for (int64_t y = 0; y < 8; ++y)
    for (int64_t x = 0; x < 8; ++x)
      means.select(1, y).select(1, x).copy_(
          rgb.slice(0, edge(rgb.size(0), y), edge(rgb.size(0), y + 1))
              .slice(1, edge(rgb.size(1), x), edge(rgb.size(1), x + 1))
              .to(at::kDouble)
              .mean({0, 1}));
  return means;
}

long peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("Pictures are decoded as a viewer shows them") {
  const auto manifest = test::read_json(test::data("media/image/manifest.json"));
  const auto samples = vit::read_safetensors(test::data("media/image/samples.safetensors"));
  for (const auto& [name, entry] : manifest["files"].items()) {
    INFO(name << ": " << entry["kind"].get<std::string>());
    const at::Tensor rgb = media::read_image(test::data("media/image/" + name));
    const auto& decoded = entry["decoded"];
    REQUIRE(rgb.scalar_type() == at::kByte);
    REQUIRE(rgb.sizes() ==
            at::IntArrayRef{decoded["height"].get<int64_t>(), decoded["width"].get<int64_t>(), 3});
    if (const auto pixels = samples.find(name + "/decoded_pixels"); pixels != samples.end()) {
      CHECK(test::same(rgb, pixels->second));
      continue;
    }
    // A mean of equal pixels is equal but for rounding; lossy ones may differ by 0.5 on average.
    const double tolerance = entry["class"] == "jpeg" ? 0.5 : 1e-3;
    CHECK(test::max_difference(block_means(rgb), samples.at(name + "/decoded_grid")) <= tolerance);
  }
}

TEST_CASE("Every kind of file and pixel that is supported is read") {
  const auto expected = vit::read_safetensors(test::data("media/kinds/expected.safetensors"));
  REQUIRE(expected.size() > 130);
  for (const auto& [name, pixels] : expected) {
    INFO(name);
    if (!VITOME_HAS_JPEG_2000 && (name.ends_with(".jp2") || name.ends_with(".j2k"))) {
      CHECK_THAT(refusal(test::data("media/kinds/" + name)),
                 Catch::ContainsSubstring("cannot read this JPEG 2000 file") &&
                     Catch::ContainsSubstring("VITOME_JPEG_2000"));
      continue;
    }
    const at::Tensor rgb = media::read_image(test::data("media/kinds/" + name));
    // Where the coding loses something, another version of the codec may round otherwise.
    const bool lossy = name.ends_with(".jpg") || name.starts_with("lossy_");
    CHECK(test::max_difference(rgb, pixels) <= (lossy ? 3.0 : 0.0));
  }
}

TEST_CASE("Broken files are refused with their name and the reason, without large allocations") {
  const std::map<std::string, std::string> reasons = {
      {"truncated.jpg", "premature end"},
      {"truncated_header.jpg", "cannot read this JPEG file"},
      {"empty.jpg", "the file is empty"},
      {"text.jpg", "not a picture"},
      {"bomb_65500.jpg", "65500 x 65500 pixels are too many"},
      {"truncated.png", "ends early"},
      {"bad_crc_ihdr.png", "CRC error"},
      {"bad_crc_idat.png", "CRC error"},
      {"zero_width.png", "IHDR"},
      {"bomb_header.png", "60000 x 60000 pixels are too many"},
      {"bomb_valid.png", "20000 x 20000 pixels are too many"},
      {"junk.webp", "damaged"},
  };
  const auto malformed = test::read_json(test::data("media/image/malformed.json"));
  REQUIRE(malformed["files"].size() == reasons.size());
  const long before = peak_memory_kib();
  for (const auto& [name, entry] : malformed["files"].items()) {
    INFO(entry["what"].get<std::string>());
    const auto path = test::data("media/image/malformed/" + name);
    test::CapturedStderr quiet;
    const std::string message = refusal(path);
    CHECK_THAT(message, Catch::ContainsSubstring(path.string() + ": ") &&
                            Catch::ContainsSubstring(reasons.at(name)));
    CHECK(quiet.text() == "");
  }
  CHECK(peak_memory_kib() - before < 64 * 1024);
}

TEST_CASE("Good files among broken ones give their usual result") {
  const auto malformed = test::read_json(test::data("media/image/malformed.json"));
  std::vector<std::string> read;
  for (const auto& name : malformed["batch"])
    if (refusal(test::data("media/image/" + name.get<std::string>())) == "not refused")
      read.push_back(name);
  CHECK(read == malformed["batch_ok"].get<std::vector<std::string>>());
}

TEST_CASE("What is no picture file is refused") {
  test::TempDir folder;
  CHECK_THAT(refusal(folder / "missing.jpg"),
             Catch::ContainsSubstring("missing.jpg: ") && Catch::ContainsSubstring("No such file"));
  CHECK_THAT(refusal(folder.path()), Catch::ContainsSubstring("is a folder"));
  const auto with = [&](const std::string& name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
    return refusal(folder / name);
  };
  CHECK_THAT(with("a.png", "\x76\x2F\x31\x01"),
             Catch::ContainsSubstring("OpenEXR files are not supported"));
  CHECK_THAT(with("a.gif", "GIF89a"), Catch::ContainsSubstring("cannot read this GIF file"));
  CHECK_THAT(with("a.jpg", "P"), Catch::ContainsSubstring("not a picture"));
  CHECK_THAT(with("b.jpg", std::string(100, '\0')), Catch::ContainsSubstring("not a picture"));
}

TEST_CASE("Headers that claim more than the file can hold are refused") {
  test::TempDir folder;
  const long before = peak_memory_kib();
  const auto with = [&](const std::string& name, std::string content, size_t size) {
    content.resize(size);
    std::ofstream(folder / name, std::ios::binary) << content;
    return refusal(folder / name);
  };
  const auto cannot_hold = Catch::ContainsSubstring("cannot hold");
  const auto ends_early = Catch::ContainsSubstring("ends early");
  CHECK_THAT(with("a.ppm", "P6 13000 13000 255\n", 200), ends_early);
  CHECK_THAT(with("a.pgm", "P2 13000 13000 255\n1 2 3", 200), ends_early);
  CHECK_THAT(with("b.ppm", "P6 13000 99999999999999 255\n", 200),
             Catch::ContainsSubstring("too large"));
  CHECK_THAT(with("c.ppm", "P6 1300000 1 255\n", 200), Catch::ContainsSubstring("too many"));
  const auto number = [](uint32_t value, bool big) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> 8 * (big ? 3 - i : i));
    return bytes;
  };
  const auto bmp = [&](uint32_t bits, uint32_t compression) {
    return "BM" + number(200, false) + number(0, false) + number(54, false) + number(40, false) +
           number(13000, false) + number(13000, false) + number(1 | bits << 16, false) +
           number(compression, false) + std::string(20, '\0');
  };
  CHECK_THAT(with("plain.bmp", bmp(24, 0), 200), ends_early);
  CHECK_THAT(with("runs.bmp", bmp(8, 1), 200), cannot_hold);
  CHECK_THAT(with("kind.bmp", bmp(8, 9), 200), Catch::ContainsSubstring("not supported"));
  CHECK_THAT(
      with("a.ras",
           "\x59\xA6\x6A\x95" + number(13000, true) + number(13000, true) + number(24, true), 200),
      ends_early);
  CHECK_THAT(with("runs.ras",
                  "\x59\xA6\x6A\x95" + number(13000, true) + number(13000, true) +
                      number(24, true) + number(0, true) + number(2, true),
                  200),
             cannot_hold);
  CHECK(peak_memory_kib() - before < 64 * 1024);
}

TEST_CASE("A file in memory is read like one on disk") {
  const auto path = test::data("media/kinds/exif6.png");
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const std::span data(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  CHECK(test::same(media::decode_image(data, "memory"), media::read_image(path)));
  CHECK_THROWS_WITH(media::decode_image(data.first(100), "memory"),
                    Catch::ContainsSubstring("memory: cannot read this PNG file"));
}

TEST_CASE("Picture names are told by their extension") {
  for (const char* name : {"a.jpg", "b.JPEG", "c.d.Png", "/x/y.webp", "e.bmp", "f.TIF", "g.ppm",
                           "h.gif", "i.avif", "j.HEIC", "k.jxl"})
    CHECK(media::is_image_file_name(name));
  for (const char* name : {"a", "jpg", ".jpg", "a.mp4", "a.jpg.txt", "a.jpg/b"})
    CHECK_FALSE(media::is_image_file_name(name));
}

TEST_CASE("A picture that is written as PNG is read as it was") {
  const test::TempDir folder;
  const at::Tensor rgb = at::randint(0, 256, {13, 22, 3}, at::kByte);
  media::write_png(folder / "noise.png", rgb);
  CHECK(test::same(media::read_image(folder / "noise.png"), rgb));
  media::write_png(folder / "turned.png", rgb.transpose(0, 1));
  CHECK(test::same(media::read_image(folder / "turned.png"), rgb.transpose(0, 1)));
}

TEST_CASE("A PNG that cannot be written is an error that names the file") {
  const test::TempDir folder;
  const at::Tensor rgb = at::zeros({2, 3, 3}, at::kByte);
  CHECK_THROWS_WITH(media::write_png(folder / "none/a.png", rgb),
                    Catch::ContainsSubstring("none/a.png: cannot be written: No such file"));
  CHECK_THROWS_WITH(media::write_png("/dev/full", rgb),
                    Catch::ContainsSubstring("/dev/full: cannot be written: No space left"));
  CHECK_THROWS_AS(media::write_png(folder / "a.png", at::zeros({2, 3, 3})), c10::Error);
  CHECK_THROWS_AS(media::write_png(folder / "a.png", at::zeros({0, 3, 3}, at::kByte)), c10::Error);
  CHECK_THROWS_AS(media::write_png(folder / "a.png", at::zeros({2, 3}, at::kByte)), c10::Error);
}
