#include <nlohmann/json.hpp>

#include <base/error.h>
#include <base/json.h>
#include <base/text.h>
#include <hub/remote.h>
#include <hub/retry.h>

namespace hub {
namespace {

constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kTooManyRequests = 429;
constexpr int kServerErrors = 500;
constexpr int kMaxRedirects = 10;
constexpr std::size_t kMaxListing = 32 << 20;

class TextSink : public Sink {
 public:
  void begin(const Response& response) override {
    text_.clear();
    where_ = response.url;
  }
  void write(const char* data, std::size_t size) override {
    if (text_.size() + size > kMaxListing)
      base::fail(where_, ": the answer is longer than ", kMaxListing, " bytes");
    text_.append(data, size);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string where_;
};

// The plain part of W/"abc" and "abc".
std::string plain_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return etag;
}

// What the server says about an error, made harmless; with a leading separator.
std::string server_words(const Response& response) {
  constexpr std::size_t kMaxWords = 200;
  const std::string words = response.header("x-error-message");
  return words.empty() ? "" : ": " + base::printable(words.substr(0, kMaxWords));
}

// Commits become folder names.
std::string checked_commit(const std::string& commit, const std::string& where) {
  if (!is_plain_name(commit))
    base::fail(where,
               ": the server names no commit; is HF_ENDPOINT a Hugging Face-compatible hub?");
  return commit;
}

Listing read_listing(const std::string& text, const std::string& where) {
  const nlohmann::json json = base::parse_json(text, where);
  Listing listing;
  if (json.is_object() && json.contains("sha") && json["sha"].is_string())
    listing.commit = json["sha"];
  checked_commit(listing.commit, where);
  if (!json.contains("siblings") || !json["siblings"].is_array())
    base::fail(where, ": the answer holds no list of files");
  for (const nlohmann::json& file : json["siblings"]) {
    if (!file.is_object() || !file.contains("rfilename") || !file["rfilename"].is_string())
      base::fail(where, ": the answer lists a file without a name");
    listing.files.push_back(file["rfilename"]);
    check_file_name(listing.files.back());
  }
  return listing;
}

// Lets a request go where an answer points to. Another host never sees the token.
void redirect(Request& request, const Response& response) {
  const std::string target = origin(response.redirect);
  if (target != origin(request.url)) request.token.clear();
  if (request.url.starts_with("https://") && !target.starts_with("https://"))
    base::fail(origin(request.url), ": refused its redirect to ", target,
               ", which is not encrypted");
  request.url = response.redirect;
}

}  // namespace

// What the answers to a HEAD request and its redirects say together.
struct Remote::Found {
  bool exists = false;
  Metadata metadata;
  std::string commit;
  Response response;  // the last one

  void add(const Response& answer) {
    if (commit.empty()) commit = answer.header("x-repo-commit");
    if (metadata.etag.empty()) metadata.etag = plain_etag(answer.header("x-linked-etag"));
    if (!metadata.size) metadata.size = parse_size(answer.header("x-linked-size"));
    if (!answer.ok()) return;
    add_own_etag(answer);
    if (!metadata.size) metadata.size = answer.content_length();
  }

  // Without a link to other content the answer's own ETag counts. Returns whether there is one.
  bool add_own_etag(const Response& answer) {
    if (metadata.etag.empty()) metadata.etag = plain_etag(answer.header("etag"));
    return !metadata.etag.empty();
  }
};

Remote::Remote(const Settings& settings, Monitor& monitor)
    : settings_(settings),
      monitor_(monitor),
      client_(settings, [&monitor] { return monitor.cancelled(); }) {}

std::string Remote::file_url(const Repo& repo, const std::string& revision,
                             const std::string& file) const {
  return settings_.endpoint + "/" + repo.id + "/resolve/" + url_quoted(revision) + "/" +
         url_quoted(file, "/");
}

Response Remote::follow(Request request, Sink* sink) {
  for (int i = 0; i <= kMaxRedirects; ++i) {
    Response response = client_.send(request, sink);
    if (response.redirect.empty()) return response;
    redirect(request, response);
  }
  base::fail(origin(request.url), ": more than ", kMaxRedirects, " redirects");
}

template <typename Attempt>
Response Remote::persist(Attempt attempt) {
  for (Retry retry(settings_, monitor_);;) {
    try {
      Response response = attempt();
      if (!retry.after(response)) return response;
    } catch (const TransportError& error) {
      if (retry.after(error)) continue;
      if (error.kind() == TransportError::Kind::fatal) throw;
      throw Unavailable(error.what());
    }
  }
}

Listing Remote::list(const Repo& repo, const std::vector<std::string>& common) {
  Request request;
  request.url =
      settings_.endpoint + "/api/models/" + repo.id + "/revision/" + url_quoted(repo.revision);
  request.token = settings_.token;
  request.limit = settings_.answer_timeout;
  TextSink sink;
  const Response response = persist([&] { return follow(request, &sink); });
  if (response.ok()) return read_listing(sink.text(), request.url);
  if (response.status == kNotFound && response.header("x-error-code").empty()) {
    Listing listing = list_by_probing(repo, common);
    if (!listing.files.empty()) return listing;
  }
  fail(response, repo, "");
}

Listing Remote::list_by_probing(const Repo& repo, const std::vector<std::string>& common) {
  Listing listing;
  for (const std::string& file : common) {
    const Found found = probe(repo, listing.commit.empty() ? repo.revision : listing.commit, file);
    if (!found.exists) {
      if (found.response.status != kNotFound) fail(found.response, repo, file);
      continue;
    }
    listing.commit = found.commit;
    listing.files.push_back(file);
  }
  return listing;
}

Remote::Found Remote::probe(const Repo& repo, const std::string& revision,
                            const std::string& file) {
  const std::string url = file_url(repo, revision, file);
  Found found;
  const auto attempt = [&] {
    found = {};
    Request request;
    request.head = true;
    request.url = url;
    request.token = settings_.token;
    request.limit = settings_.answer_timeout;
    for (int i = 0; i <= kMaxRedirects; ++i) {
      Response response = client_.send(request);
      found.add(response);
      const bool leaves =
          !response.redirect.empty() && origin(response.redirect) != origin(request.url);
      // Where the content lies does not matter here, once the hub has said what it is.
      const bool last = response.ok() || (leaves && found.add_own_etag(response));
      found.exists = last;
      if (last || response.redirect.empty()) return response;
      redirect(request, response);
    }
    base::fail(url, ": more than ", kMaxRedirects, " redirects");
  };
  found.response = persist(attempt);
  if (!found.exists) return found;
  if (!is_plain_name(found.metadata.etag))
    base::fail(url, ": the server sent no usable ETag, without which files cannot be cached");
  checked_commit(found.commit, url);
  return found;
}

Metadata Remote::metadata(const Repo& repo, const std::string& commit, const std::string& file) {
  const Found found = probe(repo, commit, file);
  if (!found.exists) fail(found.response, repo, file);
  return found.metadata;
}

Response Remote::download(const Repo& repo, const std::string& commit, const std::string& file,
                          uint64_t offset, Sink& sink) {
  Request request;
  request.url = file_url(repo, commit, file);
  request.token = settings_.token;
  request.offset = offset;
  return follow(std::move(request), &sink);
}

void Remote::fail(const Response& response, const Repo& repo, const std::string& file) const {
  const std::string code = response.header("x-error-code");
  const std::string model = "model " + repo.id + ": ";
  const std::string words = server_words(response);
  const std::string get_token =
      "set HF_TOKEN to an access token from " + settings_.endpoint + "/settings/tokens";
  if (code == "GatedRepo")
    base::fail(model, "access to it is gated", words, "; accept its terms at ", settings_.endpoint,
               "/", repo.id, settings_.token.empty() ? " and " + get_token : "");
  if (code == "RevisionNotFound")
    base::fail(model, "it has no revision '", repo.revision, "' on ", settings_.endpoint);
  if (code == "EntryNotFound")
    base::fail(model, "it has no file ", file, " at revision '", repo.revision, "'");
  if (response.status == kUnauthorized && !settings_.token.empty())
    base::fail(model, settings_.endpoint, " refused the access token", words,
               "; renew HF_TOKEN, or unset it for public models");
  if (response.status == kUnauthorized || code == "RepoNotFound" ||
      (response.status == kNotFound && file.empty()))
    base::fail(model, "not found on ", settings_.endpoint,
               "; check its name, and for a private model ",
               settings_.token.empty() ? get_token : "that your token may read it");
  if (response.status == kForbidden)
    base::fail(model, settings_.endpoint, " denies access", words,
               settings_.token.empty() ? "; " + get_token : "; check what your token may read");
  if (response.status == kNotFound)
    base::fail(model, "no file ", file, " at ", response.url.substr(0, response.url.find('?')));
  if (response.status == kTooManyRequests)
    throw Unavailable(model + settings_.endpoint + " allows no more requests at the moment" +
                      words + "; try again later" +
                      (settings_.token.empty() ? ", or " + get_token + " for a higher limit" : ""));
  const std::string message =
      model + origin(response.url) + " answered HTTP " + std::to_string(response.status) + words;
  if (response.status >= kServerErrors) throw Unavailable(message + "; try again later");
  base::fail(message);
}

}  // namespace hub
