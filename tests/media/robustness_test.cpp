// Damaged files of every kind must be read or refused, nothing else: no crash, no message on
// standard error, no memory errors under the sanitizers.
#include "tests/media/quiet.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <media/image.h>
#include <vit/error.h>

namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The picture files below tests/data/media that were not broken on purpose, sorted. AVIF and JPEG
/// XL have a test of their own.
std::set<fs::path> sample_files() {
  std::set<fs::path> files;
  for (const char* folder : {"media/image", "media/kinds", "media/optional"})
    for (const auto& entry : fs::directory_iterator(test::data(folder)))
      if (media::is_image_file_name(entry.path()) && entry.path().extension() != ".jxl")
        files.insert(entry.path());
  for (const char* name : {"gif_interlaced.gif", "gif_offset_trans_local.gif", "xmp_p6a.png",
                           "xmp_pz6e.png", "xmp_w6a.webp", "fax_runs_group3.tif"})
    files.insert(test::data(std::string("media/pillow/") + name));
  return files;
}

/// Whether the bytes are a picture; any exception but vit::Error is passed on.
bool decodes(std::span<const uint8_t> bytes) {
  try {
    const at::Tensor rgb = media::decode_image(bytes, "sample");
    return rgb.dim() == 3 && rgb.size(2) == 3 && rgb.numel() > 0;
  } catch (const vit::Error&) {
    return false;
  }
}

}  // namespace

TEST_CASE("Files that are cut off are refused") {
  test::CapturedStderr captured;
  for (const fs::path& path : sample_files()) {
    if (path.filename() == "pages.tif") continue;  // whose first page stands in its first half
    const auto bytes = read_bytes(path);
    const std::span data(bytes);
    for (int i = 0; i < 12; ++i) {
      const size_t length = bytes.size() * static_cast<size_t>(i) / 12;
      INFO(path.filename() << " cut to " << length << " of " << bytes.size() << " bytes");
      CHECK_FALSE(decodes(data.first(length)));
    }
  }
  CHECK(captured.text() == "");
}

TEST_CASE("Files with flipped bits are read or refused") {
  test::CapturedStderr captured;
  std::mt19937 random(20);
  for (const fs::path& path : sample_files()) {
    const auto bytes = read_bytes(path);
    const size_t rounds = bytes.size() < 20'000 ? 40 : 10;
    for (size_t round = 0; round < rounds; ++round) {
      auto damaged = bytes;
      // Every second time within the header, where most of the decisions are.
      const size_t range = round % 2 ? damaged.size() : std::min<size_t>(damaged.size(), 200);
      for (size_t flips = 1 + random() % 4; flips > 0; --flips)
        damaged[random() % range] ^= static_cast<uint8_t>(1u << random() % 8);
      INFO(path.filename() << ", round " << round);
      CHECK_NOTHROW(decodes(damaged));
    }
  }
  CHECK(captured.text() == "");
}

TEST_CASE("Damaged AVIF and JPEG XL files are read or refused") {
  // dav1d, which libavif has to decode, and libjxl as Debian builds it write to standard error.
  test::CapturedStderr captured;
  std::mt19937 random(22);
  for (const char* name :
       {"optional/alpha.jxl", "optional/codestream.jxl", "optional/container.jxl",
        "optional/gray16.jxl", "pillow/avif_s420_q75_full_61_4.avif", "pillow/avif_d10_420.avif"}) {
    const auto bytes = read_bytes(test::data(std::string("media/") + name));
    const std::span data(bytes);
    for (size_t length = 0; length < bytes.size(); length += bytes.size() / 12) {
      INFO(name << " cut to " << length << " of " << bytes.size() << " bytes");
      CHECK_FALSE(decodes(data.first(length)));
    }
    for (int round = 0; round < 200; ++round) {
      auto damaged = bytes;
      const size_t range = round % 2 ? damaged.size() : 100;
      for (size_t flips = 1 + random() % 4; flips > 0; --flips)
        damaged[random() % range] ^= static_cast<uint8_t>(1u << random() % 8);
      INFO(name << ", round " << round);
      CHECK_NOTHROW(decodes(damaged));
    }
  }
}

TEST_CASE("Random bytes behind a signature are read or refused") {
  test::CapturedStderr captured;
  std::mt19937 random(21);
  for (const fs::path& path : sample_files()) {
    auto bytes = read_bytes(path);
    bytes.resize(std::min<size_t>(bytes.size(), 400));
    for (size_t i = 16; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(random());
    INFO(path.filename());
    CHECK_NOTHROW(decodes(bytes));
  }
  CHECK(captured.text() == "");
}
