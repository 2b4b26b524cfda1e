#include <algorithm>

#include <base/error.h>
#include <base/text.h>
#include <hub/cache.h>
#include <hub/download.h>
#include <hub/pull.h>
#include <hub/remote.h>

namespace hub {
namespace fs = std::filesystem;
namespace {

std::string title(const Repo& repo) {
  return "model " + repo.id + (repo.revision == "main" ? "" : "@" + repo.revision);
}

Pulled describe(const Repo& repo, const RepoCache& cache, const std::string& commit,
                const std::vector<std::string>& files) {
  Pulled pulled;
  pulled.repo = repo;
  pulled.commit = commit;
  pulled.path = cache.snapshot(commit);
  for (const std::string& name : files) {
    Pulled::File file;
    file.name = name;
    file.path = pulled.path / name;
    file.size = fs::file_size(file.path);
    file.cached = true;
    pulled.files.push_back(std::move(file));
  }
  return pulled;
}

// What the cache has of a selection. Whether a default one is complete can be told; not so for the
// others, as the cache does not know what else the model has.
std::optional<Pulled> cached_selection(const Repo& repo, const Selection& selection,
                                       const RepoCache& cache) {
  const std::optional<std::string> commit = cache.commit(repo.revision);
  if (!commit) return std::nullopt;
  const std::vector<std::string> present = cache.files(*commit);
  if (present.empty() || (selection.is_default() && !choose_weights(present))) return std::nullopt;
  std::vector<std::string> chosen = choose(present, selection, title(repo) + " in the cache");
  if (selection.is_default() && is_index(chosen.back()))
    for (const std::string& shard : shards(cache.snapshot(*commit) / chosen.back())) {
      if (!cache.has(*commit, shard)) return std::nullopt;
      chosen.push_back(shard);
    }
  return describe(repo, cache, *commit, chosen);
}

// One pull from a hub.
class Pull {
 public:
  Pull(const Repo& repo, const Settings& settings, Monitor& monitor, RepoCache& cache,
       Remote& remote, Listing listing)
      : repo_(repo),
        settings_(settings),
        monitor_(monitor),
        cache_(cache),
        remote_(remote),
        listing_(std::move(listing)) {}

  Pulled run(const Selection& selection) {
    std::vector<std::string> chosen = choose(listing_.files, selection, title(repo_));
    // The index comes first, as it names files that are needed too.
    if (selection.is_default() && is_index(chosen.back())) {
      bring({chosen.back()});
      for (const std::string& shard : shards(cache_.snapshot(listing_.commit) / chosen.back()))
        chosen.push_back(shard);
    }
    bring(chosen);
    remember();
    Pulled pulled = describe(repo_, cache_, listing_.commit, chosen);
    for (Pulled::File& file : pulled.files) file.cached = !contains(fetched_, file.name);
    pulled.downloaded = traffic_.done;
    return pulled;
  }

 private:
  static bool contains(const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  }

  void bring(const std::vector<std::string>& files) {
    std::vector<Wanted> wanted;
    for (const std::string& file : files)
      if (!cache_.has(listing_.commit, file))
        wanted.push_back({file, remote_.metadata(repo_, listing_.commit, file)});
    uint64_t missing = 0;
    for (const Wanted& one : wanted) missing += missing_bytes(one);
    check_space(missing);
    traffic_.total += missing;
    for (const Wanted& one : wanted) {
      fetch(repo_, listing_.commit, one, cache_, remote_, settings_, monitor_, traffic_);
      fetched_.push_back(one.file);
    }
  }

  uint64_t missing_bytes(const Wanted& wanted) const {
    if (!wanted.metadata.size || has_blob(cache_, wanted.metadata)) return 0;
    std::error_code fault;
    const uintmax_t present = fs::file_size(partial_file(cache_, wanted.metadata.etag), fault);
    if (fault || present > *wanted.metadata.size) return *wanted.metadata.size;
    return *wanted.metadata.size - present;
  }

  // Better before an hour of downloading than after it.
  void check_space(uint64_t bytes) {
    if (bytes == 0) return;
    cache_.prepare();
    std::error_code fault;
    const fs::space_info space = fs::space(settings_.cache, fault);
    // Some network file systems do not tell.
    if (fault || space.capacity == 0 || space.available >= bytes) return;
    fail_to_write(settings_.cache, "no space left on the device: " + base::bytes(bytes) +
                                       " are to be downloaded, " + base::bytes(space.available) +
                                       " are free");
  }

  // The revision's commit, once its files are there, and which configurations the model lacks.
  void remember() {
    try {
      for (const std::string& name : config_files())
        if (!contains(listing_.files, name)) cache_.set_missing(listing_.commit, name);
      cache_.set_commit(repo_.revision, listing_.commit);
    } catch (const base::Error& error) {
      // A cache of somebody else serves well enough as long as nothing has to be added.
      if (!fetched_.empty()) throw;
      monitor_.note(error.what());
    }
  }

  const Repo& repo_;
  const Settings& settings_;
  Monitor& monitor_;
  RepoCache& cache_;
  Remote& remote_;
  Listing listing_;
  Traffic traffic_;
  std::vector<std::string> fetched_;
};

}  // namespace

Pulled pull(const Repo& repo, const Selection& selection, const Settings& settings,
            Monitor& monitor) {
  RepoCache cache(settings, repo);
  if (settings.offline) {
    if (auto cached = cached_selection(repo, selection, cache)) return *std::move(cached);
    base::fail(title(repo), ": not complete in the cache ", settings.cache.string(),
               ", and HF_HUB_OFFLINE forbids to download it");
  }
  if (is_commit(repo.revision) && selection.is_default())
    if (auto cached = find_cached(repo, settings)) return *std::move(cached);

  Remote remote(settings, monitor);
  Listing listing;
  try {
    listing = remote.list(repo, common_files());
  } catch (const Unavailable& error) {
    auto cached = cached_selection(repo, selection, cache);
    if (!cached) throw;
    monitor.note(std::string(error.what()) + "; using the cached " + cached->commit);
    return *std::move(cached);
  }
  return Pull(repo, settings, monitor, cache, remote, std::move(listing)).run(selection);
}

std::optional<Pulled> find_cached(const Repo& repo, const Settings& settings) {
  const RepoCache cache(settings, repo);
  std::optional<Pulled> cached = cached_selection(repo, {}, cache);
  if (!cached) return std::nullopt;
  // Another program may have cached the weights without the configurations.
  for (const std::string& name : config_files())
    if (!cache.has(cached->commit, name) && !cache.known_missing(cached->commit, name))
      return std::nullopt;
  return cached;
}

}  // namespace hub
