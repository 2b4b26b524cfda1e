#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <base/error.h>
#include <base/text.h>
#include <hub/download.h>
#include <hub/hash.h>
#include <hub/retry.h>

namespace hub {
namespace fs = std::filesystem;
namespace {

constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;
constexpr std::size_t kReadBuffer = 1 << 20;
// An attempt that brought so much counts as a success, so that a line that is cut now and then
// still gets a large file through.
constexpr uint64_t kWorthwhile = 1 << 20;

// First byte of "bytes 100-199/200".
std::optional<uint64_t> range_start(const Response& response) {
  const std::string range = response.header("content-range");
  constexpr std::string_view kUnit = "bytes ";
  if (!range.starts_with(kUnit)) return std::nullopt;
  return parse_size(range.substr(kUnit.size(), range.find('-') - kUnit.size()));
}

// A content on its way to the cache.
class Partial : public Sink {
 public:
  Partial(fs::path path, bool keep, const Wanted& wanted, Monitor& monitor, Traffic& traffic)
      : path_(std::move(path)),
        keep_(keep),
        file_(wanted.file),
        etag_(wanted.metadata.etag),
        expected_(wanted.metadata.size),
        checksum_(etag_, expected_),
        monitor_(monitor),
        traffic_(traffic) {
    constexpr mode_t kMode = 0666;
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode);
    if (descriptor_ < 0) fail_to_write(path_, std::strerror(errno));
  }

  ~Partial() override {
    close(descriptor_);
    if (!keep_) unlink(path_.c_str());
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  uint64_t size() const { return size_; }
  bool complete() const { return expected_ && size_ == *expected_; }

  // Takes over what an earlier attempt left.
  void read_existing() {
    std::vector<char> buffer(kReadBuffer);
    for (;;) {
      if (monitor_.cancelled()) throw Interrupted();
      const ssize_t count = read(descriptor_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_to_write(path_, std::strerror(errno));
      if (count == 0) break;
      checksum_.update(buffer.data(), static_cast<std::size_t>(count));
      size_ += static_cast<uint64_t>(count);
    }
    if (expected_ && size_ > *expected_) restart();
  }

  // Forgets all that came so far.
  void restart() {
    if (ftruncate(descriptor_, 0) != 0 || lseek(descriptor_, 0, SEEK_SET) != 0)
      fail_to_write(path_, std::strerror(errno));
    traffic_.total += size_;
    size_ = 0;
    checksum_ = Checksum(etag_, expected_);
  }

  void begin(const Response& response) override {
    const std::string coding = response.header("content-encoding");
    if (!coding.empty() && coding != "identity")
      base::fail(origin(response.url), ": sends ", file_, " compressed (", base::printable(coding),
                 "), which was not asked for");
    if (response.status != kPartialContent) {
      if (size_ > 0) restart();  // the server sends all of it
    } else if (range_start(response) != size_) {
      restart();
      throw TransportError(
          TransportError::Kind::cut,
          origin(response.url) + ": sent another part of " + file_ + " than was asked for");
    }
    const std::optional<uint64_t> length = response.content_length();
    if (!length) return;
    if (expected_ && size_ + *length != *expected_)
      base::fail(origin(response.url), ": ", file_, " should have ", *expected_,
                 " bytes, but the server sends ", size_ + *length);
    if (!expected_) traffic_.total += *length;
  }

  void write(const char* data, std::size_t size) override {
    if (expected_ && size > *expected_ - size_)
      base::fail(file_, ": the server sends more than the ", *expected_, " bytes it should have");
    checksum_.update(data, size);
    for (std::size_t written = 0; written < size;) {
      const ssize_t count = ::write(descriptor_, data + written, size - written);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_full(std::strerror(errno));
      written += static_cast<std::size_t>(count);
    }
    size_ += size;
    traffic_.done += size;
    monitor_.progress(traffic_.done, traffic_.total, file_);
  }

  // After the last byte, as far as the server says.
  void end() {
    if (!expected_) {
      expected_ = size_;
      return;
    }
    if (size_ < *expected_)
      throw TransportError(TransportError::Kind::cut,
                           "the connection ended after " + std::to_string(size_) + " of " +
                               std::to_string(*expected_) + " bytes of " + file_);
  }

  bool matches() { return checksum_.matches(); }

  void discard() { keep_ = false; }

  void move_to(const fs::path& blob) {
    // Were the name on the disk before the content, a crash would leave a broken file in the cache.
    if (fdatasync(descriptor_) != 0) fail_full(std::strerror(errno));
    if (rename(path_.c_str(), blob.c_str()) != 0) fail_to_write(blob, std::strerror(errno));
    keep_ = true;
  }

 private:
  [[noreturn]] void fail_full(const std::string& reason) {
    base::fail("cannot write ", file_, " to ", path_.string(), ": ", reason,
               keep_ ? "; what is there is kept, so that the same command goes on from there" : "");
  }

  fs::path path_;
  bool keep_;
  std::string file_;
  std::string etag_;
  std::optional<uint64_t> expected_;
  Checksum checksum_;
  Monitor& monitor_;
  Traffic& traffic_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// Returns when all bytes are there.
void receive(Partial& partial, const Repo& repo, const std::string& commit, const Wanted& wanted,
             Remote& remote, const Settings& settings, Monitor& monitor) {
  Retry retry(settings, monitor);
  while (!partial.complete()) {
    const uint64_t before = partial.size();
    try {
      const Response response = remote.download(repo, commit, wanted.file, partial.size(), partial);
      if (response.ok()) {
        partial.end();
        return;
      }
      if (response.status == kRangeNotSatisfiable && partial.size() > 0)
        partial.restart();
      else if (!retry.after(response))
        remote.fail(response, repo, wanted.file);
    } catch (const TransportError& error) {
      if (partial.size() >= before + kWorthwhile) retry.reset();
      if (retry.after(error)) continue;
      if (partial.size() == 0) throw;
      base::fail(error.what(), "; what came of ", wanted.file,
                 " is kept, so that the same command goes on from there");
    }
  }
}

}  // namespace

fs::path partial_file(const RepoCache& cache, const std::string& etag) {
  return cache.blob(etag).string() + ".incomplete";
}

bool has_blob(const RepoCache& cache, const Metadata& metadata) {
  std::error_code fault;
  const fs::path path = cache.blob(metadata.etag);
  return fs::is_regular_file(path, fault) &&
         (!metadata.size || fs::file_size(path, fault) == *metadata.size);
}

void fetch(const Repo& repo, const std::string& commit, const Wanted& wanted, RepoCache& cache,
           Remote& remote, const Settings& settings, Monitor& monitor, Traffic& traffic) {
  const std::string& etag = wanted.metadata.etag;
  cache.prepare();
  const Lock lock(cache.lock_file(etag), wanted.file, monitor);
  if (!has_blob(cache, wanted.metadata)) {
    fs::path path = partial_file(cache, etag);
    // Where processes cannot wait for each other, each has a file of its own and none is kept.
    if (!lock.held()) path.replace_filename(etag + "." + std::to_string(getpid()) + ".incomplete");
    Partial partial(path, lock.held(), wanted, monitor, traffic);
    partial.read_existing();
    for (bool again = false;; again = true) {
      receive(partial, repo, commit, wanted, remote, settings, monitor);
      if (partial.matches()) break;
      if (again) {
        partial.discard();
        base::fail("model ", repo.id, ": the content of ", wanted.file,
                   " does not have the checksum ", etag,
                   " that the hub gives; it was damaged on the way, try again later");
      }
      monitor.note(wanted.file + " came damaged, downloading it again");
      partial.restart();
    }
    partial.move_to(cache.blob(etag));
  }
  cache.link(commit, wanted.file, etag);
}

}  // namespace hub
