#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <vector>

#include <media/image.h>

namespace media {

/// A file to read, or an argument that led to none.
struct Source {
  std::filesystem::path path;
  std::string error;  ///< what is wrong with `path`, naming it; empty for a file
};

/// The files that command line arguments name, in the order of the arguments:
/// - a file, whatever its name;
/// - a folder: the files at any depth below it whose name is `wanted`, sorted by path. Hidden files
///   and folders are left out; links to folders are followed, none is entered twice;
/// - a pattern with *, ?, [...] and ** (any number of folders): the files and folders that match,
///   sorted. A file that has exactly this name comes first;
/// - "-": one file or folder per line of `list`, such as standard input. Lines are no patterns.
///
/// What is missing, matches nothing, cannot be listed or holds no wanted file becomes one Source
/// with an error, and the rest goes on. Whether a file can be read shows when it is read.
std::vector<Source> expand_sources(
    const std::vector<std::string>& arguments, std::istream& list,
    bool (*wanted)(const std::filesystem::path&) = is_image_file_name);

}  // namespace media
