#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace media {

/// A file to read, or a name that led to none.
struct Source {
  std::filesystem::path path;
  std::string error;             ///< what is wrong with `path`, naming it; empty for a file
  bool is_empty_folder = false;  ///< the error is that the folder holds no wanted file
};

/// Whether a name ends like that of a picture, be it of a format that read_image() reads or of
/// another one, such as a camera's raw data: what somebody who names a folder of pictures means.
bool is_picture_name(const std::filesystem::path& path);

/// The files that a path stands for:
/// - a file, whatever its name;
/// - a folder: the files at any depth below it whose name is `wanted`, sorted by path. Hidden files
///   and folders are left out; links to folders are followed, none is entered twice.
///
/// What is missing, cannot be listed or holds no wanted file becomes one Source with an error, and
/// the rest goes on. Whether a file can be read shows when it is read.
std::vector<Source> find_sources(const std::filesystem::path& path,
                                 bool (*wanted)(const std::filesystem::path&) = is_picture_name);

/// The same for a path or else a pattern with *, ?, [...] and ** (any number of folders): the files
/// and folders that match, sorted. A file that has exactly this name comes first. A pattern that
/// matches nothing becomes one Source with an error.
std::vector<Source> expand_sources(const std::string& pattern,
                                   bool (*wanted)(const std::filesystem::path&) = is_picture_name);

}  // namespace media
