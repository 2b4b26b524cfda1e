#include "data/parts.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <base/text.h>
#include <media/sources.h>

namespace data {
namespace fs = std::filesystem;
namespace {

// Those to learn from, then those to measure by, the most usual first.
constexpr std::array<std::string_view, 2> kTraining = {"train", "training"};
constexpr std::array<std::string_view, 8> kOthers = {"val",  "valid", "validation", "dev",
                                                     "eval", "test",  "testing",    "holdout"};

std::string name_of(const fs::path& folder) {
  std::string name = folder.filename().string();
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return name;
}

template <std::size_t N>
fs::path first_named(const std::vector<fs::path>& folders,
                     const std::array<std::string_view, N>& names) {
  for (const std::string_view name : names)
    for (const fs::path& folder : folders)
      if (name_of(folder) == name) return folder;
  return {};
}

bool is_part_name(const fs::path& folder) {
  const std::string name = name_of(folder);
  return std::find(kTraining.begin(), kTraining.end(), name) != kTraining.end() ||
         std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end();
}

// Whether folders lie in several of the parts under one name, as those of classes do.
bool share_folders(const std::vector<Listing>& parts) {
  std::map<std::string, int> counts;
  for (const Listing& part : parts)
    for (const fs::path& folder : part.folders) ++counts[folder.filename().string()];
  return std::any_of(counts.begin(), counts.end(),
                     [](const auto& item) { return item.second > 1; });
}

bool has_data(const fs::path& folder) {
  const auto is_data = [](const fs::path& path) {
    return media::is_picture_name(path) || is_tar(path);
  };
  return !media::find_sources(folder, is_data).front().is_empty_folder;
}

std::vector<std::string> texts(const std::vector<fs::path>& folders, bool names) {
  std::vector<std::string> all;
  for (const fs::path& folder : folders)
    all.push_back(names ? folder.filename().string() : folder.string());
  return all;
}

bool are_classes(const std::vector<fs::path>& folders, const std::vector<std::string>& classes) {
  return std::all_of(folders.begin(), folders.end(), [&](const fs::path& folder) {
    return std::find(classes.begin(), classes.end(), folder.filename().string()) != classes.end();
  });
}

}  // namespace

PartsError::PartsError(const std::string& message, fs::path training, fs::path other)
    : Error(message), training_(std::move(training)), other_(std::move(other)) {}

void check_parts(const Listing& listing, const OpenOptions& options) {
  std::vector<fs::path> named;
  std::vector<Listing> parts;
  for (const fs::path& folder : listing.folders) {
    if (!is_part_name(folder)) continue;
    named.push_back(folder);
    parts.push_back(list_folder(folder));
  }
  if (named.empty() || are_classes(listing.folders, options.class_names)) return;
  const bool alone =
      std::all_of(listing.folders.begin(), listing.folders.end(),
                  [](const fs::path& folder) { return is_part_name(folder) || !has_data(folder); });
  const bool nested = std::any_of(parts.begin(), parts.end(), [](const Listing& part) {
    return !part.folders.empty() || !part.shards.empty();
  });
  const std::string names = base::join(texts(named, true), ", ");
  if (share_folders(parts) || (alone && nested))
    throw PartsError(listing.folder.string() + ": holds the parts of a data set (" + names +
                         "), not a folder for each class: name one of them, " +
                         base::join(texts(named, false), " or "),
                     first_named(named, kTraining), first_named(named, kOthers));
  if (alone && options.on_warning)
    options.on_warning(listing.folder.string() + ": the classes are called " + names +
                       ": are these the parts of a data set?");
}

}  // namespace data
