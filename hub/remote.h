#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <hub/http.h>
#include <hub/monitor.h>
#include <hub/names.h>

namespace hub {

/// The hub cannot be reached or does not work at the moment, so that a cached model will have to
/// do.
class Unavailable : public base::Error {
 public:
  using Error::Error;
};

/// A revision of a model on the hub.
struct Listing {
  std::string commit;
  std::vector<std::string> files;  ///< safe relative paths
};

/// A file on the hub.
struct Metadata {
  std::string etag;              ///< names its content; safe as a file name
  std::optional<uint64_t> size;  ///< in bytes
};

/// The requests that a hub answers. All functions try again when an error may pass, and throw
/// Unavailable, Interrupted or a base::Error that says what to do.
class Remote {
 public:
  Remote(const Settings& settings, Monitor& monitor);

  /// `common` names are asked for one by one where the server has no listings, as simple mirrors.
  Listing list(const Repo& repo, const std::vector<std::string>& common);

  Metadata metadata(const Repo& repo, const std::string& commit, const std::string& file);

  /// The file from `offset` on, through all redirects. Only this throws TransportError, and returns
  /// answers of any status: going on where it stopped is up to the caller. The token goes to the
  /// hub alone, not to where it keeps its files.
  Response download(const Repo& repo, const std::string& commit, const std::string& file,
                    uint64_t offset, Sink& sink);

  /// What an answer means that is no success; `file` may be empty.
  [[noreturn]] void fail(const Response& response, const Repo& repo, const std::string& file) const;

 private:
  struct Found;
  Found probe(const Repo& repo, const std::string& revision, const std::string& file);
  Listing list_by_probing(const Repo& repo, const std::vector<std::string>& common);
  Response follow(Request request, Sink* sink);
  template <typename Attempt>
  Response persist(Attempt attempt);
  std::string file_url(const Repo& repo, const std::string& revision,
                       const std::string& file) const;

  const Settings& settings_;
  Monitor& monitor_;
  Client client_;
};

}  // namespace hub
