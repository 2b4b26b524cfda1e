#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/error.h>
#include <base/text.h>
#include <hub/cache.h>
#include <hub/retry.h>

namespace hub {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDepth = 32;  // of folders in a snapshot
constexpr const char* kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file marks the folder as a cache that backups may skip "
    "(https://bford.info/cachedir/).\n";

void make_folder(const fs::path& path) {
  std::error_code fault;
  fs::create_directories(path, fault);
  if (fault) fail_to_write(path, fault.message());
}

// A name beside `path` that no other process or thread uses.
fs::path temporary(const fs::path& path) {
  static std::atomic<unsigned> count = 0;
  return path.string() + "." + std::to_string(getpid()) + "-" + std::to_string(count++) + ".tmp";
}

// Whole or not at all, whoever reads it meanwhile.
void write_file(const fs::path& path, const std::string& text) {
  make_folder(path.parent_path());
  const fs::path draft = temporary(path);
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  std::error_code fault;
  if (file) fs::rename(draft, path, fault);
  if (!file || fault) {
    const std::string reason = fault ? fault.message() : std::strerror(errno);
    fs::remove(draft, fault);
    fail_to_write(path, reason);
  }
}

std::string read_line(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(256, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text.substr(0, text.find_first_of(" \r\n"));
}

bool lacks_links(const std::error_code& fault) {
  return fault == std::errc::operation_not_permitted || fault == std::errc::not_supported ||
         fault == std::errc::function_not_supported;
}

}  // namespace

void fail_to_write(const fs::path& path, const std::string& reason) {
  base::fail("cannot write to ", path.string(), ": ", reason,
             "; HF_HOME or HF_HUB_CACHE names another folder for models");
}

RepoCache::RepoCache(const Settings& settings, const Repo& repo)
    : settings_(settings), name_("models--" + base::join(base::split(repo.id, '/'), "--")) {
  root_ = settings.cache / name_;
}

std::optional<std::string> RepoCache::commit(const std::string& revision) const {
  std::error_code fault;
  const fs::path ref = root_ / "refs" / revision;
  const std::string commit = fs::is_regular_file(ref, fault) ? read_line(ref) : revision;
  if (!is_plain_name(commit) || !fs::is_directory(snapshot(commit), fault)) return std::nullopt;
  return commit;
}

fs::path RepoCache::snapshot(const std::string& commit) const {
  return root_ / "snapshots" / commit;
}

std::vector<std::string> RepoCache::files(const std::string& commit) const {
  std::vector<std::string> names;
  std::error_code fault;
  const fs::path folder = snapshot(commit);
  // Links to folders are not followed: nothing that belongs here is one.
  for (fs::recursive_directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    if (entry.depth() >= kMaxDepth) entry.disable_recursion_pending();
    std::error_code ignored;
    if (entry->is_regular_file(ignored))
      names.push_back(entry->path().lexically_relative(folder).generic_string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool RepoCache::has(const std::string& commit, const std::string& file) const {
  std::error_code fault;
  return fs::is_regular_file(snapshot(commit) / file, fault);
}

bool RepoCache::known_missing(const std::string& commit, const std::string& file) const {
  std::error_code fault;
  return fs::exists(root_ / ".no_exist" / commit / file, fault);
}

fs::path RepoCache::blob(const std::string& etag) const { return root_ / "blobs" / etag; }

fs::path RepoCache::lock_file(const std::string& etag) const {
  return settings_.cache / ".locks" / name_ / (etag + ".lock");
}

void RepoCache::prepare() {
  make_folder(root_ / "blobs");
  make_folder(settings_.cache / ".locks" / name_);
  std::error_code fault;
  const fs::path tag = settings_.cache / "CACHEDIR.TAG";
  if (!fs::exists(tag, fault)) write_file(tag, kCacheTag);
}

void RepoCache::link(const std::string& commit, const std::string& file, const std::string& etag) {
  const fs::path path = snapshot(commit) / file;
  make_folder(path.parent_path());
  std::error_code fault;
  if (settings_.symlinks) {
    const fs::path draft = temporary(path);
    fs::create_symlink(blob(etag).lexically_relative(path.parent_path()), draft, fault);
    if (!fault) {
      fs::rename(draft, path, fault);
      if (!fault) return;
      const std::string reason = fault.message();
      fs::remove(draft, fault);
      fail_to_write(path, reason);
    }
    if (!lacks_links(fault)) fail_to_write(path, fault.message());
  }
  fs::rename(blob(etag), path, fault);
  if (fault) fail_to_write(path, fault.message());
}

void RepoCache::set_commit(const std::string& revision, const std::string& commit) {
  const fs::path ref = root_ / "refs" / revision;
  std::error_code fault;
  if (revision == commit || (fs::is_regular_file(ref, fault) && read_line(ref) == commit)) return;
  write_file(ref, commit);
}

void RepoCache::set_missing(const std::string& commit, const std::string& file) {
  if (!known_missing(commit, file)) write_file(root_ / ".no_exist" / commit / file, "");
}

Lock::Lock(const fs::path& path, const std::string& what, Monitor& monitor) {
  constexpr mode_t kMode = 0664;  // others who share the cache wait for it too
  constexpr std::chrono::milliseconds kPause{100};
  for (bool waited = false;;) {
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode);
    if (descriptor_ < 0) fail_to_write(path, std::strerror(errno));
    const bool locked = flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
    const int fault = locked ? 0 : errno;
    struct stat opened {};
    struct stat named {};
    // Some versions of huggingface_hub remove the file when they are done with it.
    if (locked && fstat(descriptor_, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
      return;
    close(descriptor_);
    descriptor_ = -1;
    if (locked || fault == EINTR) continue;
    if (fault != EWOULDBLOCK && fault != EACCES) return;
    if (!waited) monitor.note("waiting for another process that downloads " + what);
    waited = true;
    wait(kPause, monitor);
  }
}

Lock::~Lock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace hub
