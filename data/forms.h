#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <data/dataset.h>
#include <data/labels.h>

namespace data {

// The forms of data sets that open_dataset() tells apart. All throw base::Error.

std::unique_ptr<Dataset> open_folder(const std::filesystem::path& folder,
                                     const OpenOptions& options);

std::unique_ptr<Dataset> open_list(const std::filesystem::path& list, const OpenOptions& options);

/// `where` begins messages about all shards together.
std::unique_ptr<Dataset> open_shards(const std::vector<std::filesystem::path>& shards,
                                     const std::string& where, const OpenOptions& options);

/// A data set whose entries' names are paths of picture files.
std::unique_ptr<Dataset> picture_files(Classified entries);

/// Whether a file's name ends with `extension`, such as ".tar", in small or capital letters.
bool has_extension(const std::filesystem::path& path, std::string_view extension);

}  // namespace data
