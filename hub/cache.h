#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <hub/monitor.h>
#include <hub/names.h>
#include <hub/settings.h>

namespace hub {

/// The folder of one model in the cache, laid out as Python's huggingface_hub does it:
///
///     models--org--name/blobs/ETAG                      contents
///                       refs/REVISION                   the commit of a branch or tag
///                       snapshots/COMMIT/FILE           relative links to the contents
///                       .no_exist/COMMIT/FILE           empty: the model has no such file
///     .locks/models--org--name/ETAG.lock                held while a content comes in
///
/// Functions that write throw base::Error that names the path.
class RepoCache {
 public:
  RepoCache(const Settings& settings, const Repo& repo);

  /// The commit of a revision, as far as the cache knows it.
  std::optional<std::string> commit(const std::string& revision) const;

  std::filesystem::path snapshot(const std::string& commit) const;

  /// The files of a snapshot, as relative paths.
  std::vector<std::string> files(const std::string& commit) const;

  bool has(const std::string& commit, const std::string& file) const;

  /// The cache knows that the model has no such file.
  bool known_missing(const std::string& commit, const std::string& file) const;

  std::filesystem::path blob(const std::string& etag) const;

  /// Makes the folders for a content and, for backup programs, the tag that says it is a cache.
  void prepare();

  /// Puts a file into a snapshot, as a link to its content.
  void link(const std::string& commit, const std::string& file, const std::string& etag);

  void set_commit(const std::string& revision, const std::string& commit);
  void set_missing(const std::string& commit, const std::string& file);

  std::filesystem::path lock_file(const std::string& etag) const;

 private:
  const Settings& settings_;
  std::filesystem::path root_;
  std::string name_;  // models--org--name
};

[[noreturn]] void fail_to_write(const std::filesystem::path& path, const std::string& reason);

/// An advisory lock on a file, shared with huggingface_hub. On file systems without locks it is not
/// held.
class Lock {
 public:
  /// Waits for other holders; `what` they are doing is for the monitor.
  Lock(const std::filesystem::path& path, const std::string& what, Monitor& monitor);
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool held() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

}  // namespace hub
