// Good files with random damage: whatever comes of it, it is either read or refused by an Error.
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <fstream>
#include <random>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/read.h>

namespace {

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// One to four changes of a few bytes each.
std::string damage(std::string bytes, std::mt19937& random) {
  const auto below = [&](size_t limit) {
    return std::uniform_int_distribution<size_t>(0, std::max<size_t>(limit, 1) - 1)(random);
  };
  for (size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const size_t position = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes[position] ^= static_cast<char>(1 << below(8));
        break;
      case 1:
        bytes[position] = static_cast<char>(below(256));
        break;
      case 2:  // a large number where a size may stand
        std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(position),
                    std::min<size_t>(1 + below(8), bytes.size() - position), '\xFF');
        break;
      case 3:
        bytes.resize(position);
        break;
      case 4:
        bytes.erase(position, 1 + below(16));
        break;
      default:
        bytes.insert(position, bytes.substr(below(bytes.size()), 1 + below(16)));
    }
  }
  return bytes;
}

constexpr int kRounds = 40;
constexpr uint32_t kSeed = 1;

}  // namespace

TEST_CASE("damaged weights files are read or refused") {
  const test::TempDir folder;
  std::mt19937 random(kSeed);
  size_t read = 0, refused = 0;
  for (const auto& entry : test::read_json(test::data("hostile/manifest.json"))) {
    const std::string reader = entry.at("reader");
    if (reader == "model_dir" || reader == "safetensors_index" || entry.at("expect") != "load")
      continue;
    const std::filesystem::path source =
        test::data("hostile") / entry.at("file").get<std::string>();
    const auto bytes = read_bytes(source);
    if (bytes.size() > 10000) continue;
    const auto path = folder / source.filename();
    for (int round = 0; round < kRounds; ++round) {
      write_bytes(path, damage(bytes, random));
      INFO(source << ", round " << round);
      try {
        for (const auto& [name, tensor] : vit::read_weights(path)) tensor.clone();
        ++read;
      } catch (const vit::Error&) {
        ++refused;
      } catch (const std::exception& error) {
        FAIL_CHECK("throws " << error.what());
      }
    }
  }
  CHECK(read > 0);
  CHECK(refused > 0);
}

TEST_CASE("damaged configs are read or refused") {
  const test::TempDir folder;
  std::mt19937 random(kSeed);
  for (const char* source : {"hostile/config/timm_valid", "hostile/config/hf_valid"}) {
    const auto config = read_bytes(test::data(source) / "config.json");
    std::filesystem::copy_file(test::data(source) / "model.safetensors",
                               folder / "model.safetensors",
                               std::filesystem::copy_options::overwrite_existing);
    for (int round = 0; round < 10 * kRounds; ++round) {
      write_bytes(folder / "config.json", damage(config, random));
      INFO(source << ", round " << round);
      try {
        vit::load(folder.path());
      } catch (const vit::Error&) {
      } catch (const std::exception& error) {
        FAIL_CHECK("throws " << error.what());
      }
    }
  }
}
