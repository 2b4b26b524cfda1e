#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace test {

using Colour = std::array<uint8_t, 3>;

/// A picture file (PPM) of one pixel.
std::string pixel(Colour colour);

/// Makes the folders above it, too.
void write_file(const std::filesystem::path& path, const std::string& content);

/// A header of a tar archive (ustar) with its checksum.
std::string tar_header(const std::string& name, uint64_t size, char type = '0');

/// A member of a tar archive: header, contents, padding.
std::string tar_member(const std::string& name, const std::string& content, char type = '0');

/// The two blocks of zeros that end an archive.
std::string tar_end();

/// A complete archive.
std::string tar(const std::vector<std::pair<std::string, std::string>>& members);

}  // namespace test
