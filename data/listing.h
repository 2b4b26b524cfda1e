#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace data {

/// What lies in a folder of a data set, without what is hidden.
struct Listing {
  std::filesystem::path folder;
  std::vector<std::filesystem::path> folders;  ///< sorted
  std::vector<std::filesystem::path> shards;   ///< tar files, sorted
  int64_t pictures = 0;                        ///< files that are pictures by their name
};

/// Throws base::Error if the folder cannot be listed.
Listing list_folder(const std::filesystem::path& folder);

/// Whether a file's name ends with `extension`, such as ".tar", in small or capital letters.
bool has_extension(const std::filesystem::path& path, std::string_view extension);

/// "a.tar", and the compressed ones, which are refused with advice when they are read.
bool is_tar(const std::filesystem::path& path);

}  // namespace data
