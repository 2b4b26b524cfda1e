// Reading pictures leaves standard error to the program: nothing is written there, whatever the
// files are like, and std::cerr is not rerouted to bring that about.
#include "tests/media/quiet.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <streambuf>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>

#include <media/image.h>
#include <vit/error.h>

namespace {

namespace fs = std::filesystem;

// Before any test has read a picture.
std::streambuf* const kBufferOfCerr = std::cerr.rdbuf();

std::vector<uint8_t> read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One file of each format, with the data behind the header overwritten and the end cut off.
std::vector<std::vector<uint8_t>> damaged_files() {
  std::vector<std::vector<uint8_t>> files;
  for (const char* name :
       {"kinds/lzw.tif", "kinds/lossy_ycbcr_jpeg.tif", "kinds/fax_group4.tif", "kinds/lossless.jp2",
        "kinds/lossless.j2k", "kinds/runs24.ras", "kinds/lossy_alpha.webp", "kinds/exif6.png",
        "kinds/rle8.bmp", "kinds/exif_multi.jpg", "pillow/gif_plain.gif", "pillow/k_x.avif",
        "pillow/k_bit_group3.tif", "optional/lossless.heic"}) {
    auto bytes = read_bytes(test::data(std::string("media/") + name));
    bytes.resize(bytes.size() * 3 / 4);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), bytes.end(), 0x55);
    files.push_back(std::move(bytes));
  }
  return files;
}

/// Counts how often what std::cout has is flushed, while it lives.
class Flushes : public std::streambuf {
 public:
  Flushes() : before_(std::cout.rdbuf(this)) {}
  ~Flushes() override { std::cout.rdbuf(before_); }
  Flushes(const Flushes&) = delete;
  Flushes& operator=(const Flushes&) = delete;
  int count() const { return count_; }

 protected:
  int sync() override {
    ++count_;
    return 0;
  }

 private:
  std::streambuf* before_;
  std::atomic<int> count_ = 0;
};

}  // namespace

// Whoever writes to std::cerr also flushes std::cout, which is tied to it: in the middle of what
// another thread writes there.
TEST_CASE("Reading does not flush what the program writes to standard output") {
  const auto damaged = damaged_files();
  const Flushes flushes;
  REQUIRE(std::cerr.tie() == &std::cout);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (const auto& bytes : damaged) try {
          media::decode_image(bytes, "damaged");
        } catch (const vit::Error&) {
        }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(flushes.count() == 0);
  std::cerr << "";  // as what a library writes does
  CHECK(flushes.count() == 1);
}

TEST_CASE("Damaged files are silent while other threads read and write to standard error") {
  const auto damaged = damaged_files();
  const auto good = test::data("media/kinds/lzw.tif");
  const at::Tensor expected = media::read_image(good);
  constexpr int kRounds = 20;
  std::atomic<int> refused = 0, differing = 0;

  test::CapturedStderr captured;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round)
        for (const auto& bytes : damaged) try {
            media::decode_image(bytes, "damaged");
          } catch (const vit::Error&) {
            ++refused;
          }
    });
  threads.emplace_back([&] {
    for (int round = 0; round < kRounds; ++round)
      if (!test::same(media::read_image(good), expected)) ++differing;
  });
  std::string written;
  for (int round = 0; round < kRounds; ++round) {
    std::cerr << "from the program\n";
    written += "from the program\n";
  }
  for (std::thread& thread : threads) thread.join();

  CHECK(captured.text() == written);
  CHECK(std::cerr.rdbuf() == kBufferOfCerr);
  CHECK(refused == 2 * kRounds * static_cast<int>(damaged.size()));
  CHECK(differing == 0);
}

TEST_CASE("std::cerr writes where it wrote before pictures were read") {
  for (const auto& entry : fs::directory_iterator(test::data("media/kinds")))
    if (media::is_image_file_name(entry.path())) try {
        media::read_image(entry.path());
      } catch (const vit::Error&) {  // JPEG 2000, where the build has none
      }
  CHECK(std::cerr.rdbuf() == kBufferOfCerr);
}
