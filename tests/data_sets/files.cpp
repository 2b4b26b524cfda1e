#include "tests/data_sets/files.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace test {

std::string pixel(Colour colour) {
  return "P6 1 1 255\n" + std::string(colour.begin(), colour.end());
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

std::string tar_header(const std::string& name, uint64_t size, char type) {
  std::array<char, 512> header{};
  std::copy(name.begin(), name.end(), header.begin());
  std::snprintf(&header[124], 12, "%011llo", static_cast<unsigned long long>(size));
  header[156] = type;
  constexpr std::string_view kMagic(
      "ustar\0"
      "00",
      8);
  std::copy(kMagic.begin(), kMagic.end(), &header[257]);
  std::fill_n(&header[148], 8, ' ');
  unsigned sum = 0;
  for (char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(&header[148], 7, "%06o", sum);
  return {header.begin(), header.end()};
}

std::string tar_member(const std::string& name, const std::string& content, char type) {
  return tar_header(name, content.size(), type) + content +
         std::string((512 - content.size() % 512) % 512, '\0');
}

std::string tar_end() { return std::string(1024, '\0'); }

std::string tar(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string archive;
  for (const auto& [name, content] : members) archive += tar_member(name, content);
  return archive + tar_end();
}

}  // namespace test
