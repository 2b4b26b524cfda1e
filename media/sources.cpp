#include "media/sources.h"

#include <algorithm>
#include <fnmatch.h>
#include <functional>
#include <set>
#include <string>
#include <system_error>

namespace media {
namespace {

namespace fs = std::filesystem;

using Wanted = bool (*)(const fs::path&);

/// A folder's entries that are not hidden, sorted by name. `error` is set where listing fails.
std::vector<fs::directory_entry> list_folder(const fs::path& folder, std::error_code& error) {
  std::vector<fs::directory_entry> entries;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (!entry->path().filename().string().starts_with('.')) entries.push_back(*entry);
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// Adds the wanted files below `folder`. `seen` holds the folders that were entered, by their real
/// path, so that links cannot lead in a circle.
void scan_folder(const fs::path& folder, Wanted wanted, std::set<fs::path>& seen,
                 std::vector<Source>& sources) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  if (!error && !seen.insert(real).second) return;
  const auto entries = list_folder(folder, error);
  if (error)
    sources.push_back({folder, folder.string() + ": cannot list the folder: " + error.message()});
  for (const auto& entry : entries) {
    std::error_code ignored;
    if (entry.status(ignored).type() == fs::file_type::directory)
      scan_folder(entry.path(), wanted, seen, sources);
    // What is no file, or a link to nowhere, is reported when it is read.
    else if (wanted(entry.path()))
      sources.push_back({entry.path(), ""});
  }
}

void add_path(const fs::path& path, Wanted wanted, std::vector<Source>& sources) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    return sources.push_back({path, path.string() + ": no such file or folder"});
  if (!fs::status_known(status))
    return sources.push_back({path, path.string() + ": " + error.message()});
  if (status.type() != fs::file_type::directory) return sources.push_back({path, ""});
  std::set<fs::path> seen;
  const size_t before = sources.size();
  scan_folder(path, wanted, seen, sources);
  if (sources.size() == before)
    sources.push_back({path, path.string() + ": nothing to read in this folder", true});
}

bool has_wildcard(const std::string& text) {
  return text.find_first_of("*?[\\") != std::string::npos;
}

/// Adds what matches the parts from `part` on below `base`.
void match(const fs::path& base, std::vector<std::string>::const_iterator part,
           std::vector<std::string>::const_iterator end, std::set<fs::path>& found) {
  if (part == end) {
    found.insert(base);
    return;
  }
  if (!has_wildcard(*part)) {
    std::error_code error;
    const fs::path path = base / *part;
    if (fs::exists(fs::symlink_status(path, error))) match(path, part + 1, end, found);
    return;
  }
  const bool any_depth = *part == "**";
  const bool last = part + 1 == end;
  if (any_depth && !last) match(base, part + 1, end, found);
  std::error_code error;
  for (const auto& entry : list_folder(base.empty() ? "." : base, error)) {
    const std::string name = entry.path().filename().string();
    const fs::path path = base / name;
    if (any_depth) {
      // Links are not followed here: they could lead in a circle.
      if (last) found.insert(path);
      if (!entry.is_symlink(error) && is_folder(path)) match(path, part, end, found);
    } else if (fnmatch(part->c_str(), name.c_str(), FNM_PERIOD) == 0 && (last || is_folder(path))) {
      match(path, part + 1, end, found);
    }
  }
}

std::set<fs::path> expand_pattern(const fs::path& pattern) {
  std::vector<std::string> parts;
  for (const fs::path& part : pattern.relative_path())
    if (!part.empty()) parts.push_back(part.string());
  std::set<fs::path> found;
  match(pattern.root_path(), parts.begin(), parts.end(), found);
  return found;
}

}  // namespace

bool is_picture_name(const fs::path& path) {
  static const std::set<std::string, std::less<>> kEndings = {
      // photographs and drawings
      ".apng", ".avif", ".avifs", ".bmp", ".dib", ".emf", ".gif", ".heic", ".heics", ".heif",
      ".heifs", ".hif", ".ico", ".icns", ".cur", ".jfif", ".jif", ".jpe", ".jpeg", ".jpg", ".jng",
      ".jxl", ".jxr", ".hdp", ".wdp", ".mng", ".pcx", ".dcx", ".pjp", ".pjpeg", ".png", ".qoi",
      ".ras", ".sgi", ".svg", ".svgz", ".tga", ".tif", ".tiff", ".btf", ".tf8", ".webp", ".wmf",
      ".xbm", ".xpm", ".bpg", ".flif", ".dds", ".pict", ".pct",
      // JPEG 2000 and its like
      ".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jph", ".jhc", ".jpm", ".jpx", ".jls",
      // Netpbm
      ".pam", ".pbm", ".pfm", ".pgm", ".pnm", ".ppm",
      // many bits, science, medicine
      ".dcm", ".dicom", ".dpx", ".exr", ".fits", ".hdr",
      // programs that draw
      ".kra", ".ora", ".psb", ".psd", ".xcf",
      // cameras
      ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc",
      ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2",
      ".srf", ".srw", ".x3f"};
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return kEndings.contains(ending);
}

std::vector<Source> find_sources(const fs::path& path, Wanted wanted) {
  std::vector<Source> sources;
  add_path(path, wanted, sources);
  return sources;
}

std::vector<Source> expand_sources(const std::string& pattern, Wanted wanted) {
  std::error_code error;
  if (!has_wildcard(pattern) || fs::exists(fs::symlink_status(pattern, error)))
    return find_sources(pattern, wanted);
  const auto found = expand_pattern(pattern);
  if (found.empty()) return {{pattern, pattern + ": no file matches"}};
  std::vector<Source> sources;
  for (const fs::path& path : found) add_path(path, wanted, sources);
  return sources;
}

}  // namespace media
