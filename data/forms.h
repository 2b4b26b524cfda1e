#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <data/dataset.h>
#include <data/labels.h>
#include <data/listing.h>

namespace data {

// The forms of data sets that open_dataset() tells apart. All throw base::Error.

/// A folder with a folder for each class.
std::unique_ptr<Dataset> open_folder(const Listing& listing, const OpenOptions& options);

std::unique_ptr<Dataset> open_list(const std::filesystem::path& list, const OpenOptions& options);

/// `where` begins messages about all shards together.
std::unique_ptr<Dataset> open_shards(const std::vector<std::filesystem::path>& shards,
                                     const std::string& where, const OpenOptions& options);

/// A data set whose entries' names are paths of picture files.
std::unique_ptr<Dataset> picture_files(Classified entries, vit::Transparency transparency);

}  // namespace data
