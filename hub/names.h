#pragma once

#include <string>
#include <string_view>

namespace hub {

/// A model repository at one of its revisions.
struct Repo {
  std::string id;                 ///< "org/name", or "name" for a few old ones
  std::string revision = "main";  ///< branch, tag, "refs/pr/1" or commit
};

/// Reads "org/name" or "org/name@revision". Throws base::Error unless both are names that a hub can
/// have and that are safe as paths.
Repo parse_repo(const std::string& text);

/// Throws base::Error unless it is safe as a path below refs/.
void check_revision(const std::string& revision);

/// Throws base::Error if a file name that a server sent could lead out of its folder or garble a
/// terminal: absolute paths, "." and ".." parts, backslashes, control characters, overlong names.
void check_file_name(const std::string& name);

/// A whole commit, which never changes, rather than a branch, a tag or a shortened commit.
bool is_commit(std::string_view revision);

/// What the cache may use as a file name: letters, digits, "-", "_" and ".", not too long, no
/// leading dot.
bool is_plain_name(std::string_view name);

/// Percent-encoded for a URL, apart from the characters in `keep`.
std::string url_quoted(std::string_view text, std::string_view keep = "");

}  // namespace hub
