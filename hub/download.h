#pragma once

#include <cstdint>
#include <string>

#include <hub/cache.h>
#include <hub/remote.h>

namespace hub {

/// A file that is not in the snapshot yet.
struct Wanted {
  std::string file;
  Metadata metadata;
};

/// What comes over the network in one pull.
struct Traffic {
  uint64_t done = 0;
  uint64_t total = 0;
};

/// Where a content lies until it is complete. It is kept when a download fails, and goes on there.
std::filesystem::path partial_file(const RepoCache& cache, const std::string& etag);

/// The content with that ETag is in the cache, with the size that it should have.
bool has_blob(const RepoCache& cache, const Metadata& metadata);

/// Brings a file into the snapshot: from contents that are already in the cache, or from the hub.
/// Streams to the disk, goes on where an earlier attempt stopped, checks size and checksum. Throws
/// base::Error and Interrupted.
void fetch(const Repo& repo, const std::string& commit, const Wanted& wanted, RepoCache& cache,
           Remote& remote, const Settings& settings, Monitor& monitor, Traffic& traffic);

}  // namespace hub
