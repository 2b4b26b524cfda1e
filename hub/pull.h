#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <hub/choose.h>
#include <hub/monitor.h>
#include <hub/names.h>
#include <hub/settings.h>

namespace hub {

/// A model in the cache.
struct Pulled {
  struct File {
    std::string name;
    std::filesystem::path path;
    uint64_t size = 0;    ///< in bytes
    bool cached = false;  ///< was there before
  };
  Repo repo;
  std::string commit;
  std::filesystem::path path;  ///< of the snapshot
  std::vector<File> files;     ///< those that were asked for
  uint64_t downloaded = 0;     ///< bytes that came over the network
};

/// Brings the files of a model into the cache and returns where they are. Files that are there are
/// not downloaded again; the hub is only asked which commit the revision is. If it cannot be
/// reached, what the cache has for that revision will do, with a note to the monitor.
///
/// Throws base::Error that says what to do, and Interrupted; what has been downloaded is kept.
Pulled pull(const Repo& repo, const Selection& selection, const Settings& settings,
            Monitor& monitor);

/// The model as the cache has it, if all that a Vision Transformer needs is there; no network.
std::optional<Pulled> find_cached(const Repo& repo, const Settings& settings);

}  // namespace hub
