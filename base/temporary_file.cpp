#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <base/error.h>
#include <base/temporary_file.h>

namespace base {
namespace {

namespace fs = std::filesystem;

// Between the target's name and a number.
constexpr const char* kMark = ".part-";

bool is_temporary_of(const fs::path& target, const std::string& name) {
  const std::string begin = target.filename().string() + kMark;
  return name.size() > begin.size() && name.starts_with(begin) &&
         name.find_first_not_of("0123456789", begin.size()) == name.npos;
}

// Who writes a temporary file keeps it locked, which ends with the process.
void remove_if_abandoned(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  ::close(descriptor);
}

}  // namespace

TemporaryFile::TemporaryFile(const fs::path& target) : target_(target) {
  remove_leftovers(target);
  while (!create()) {
  }
}

// False where another process took the file for abandoned before it was locked.
bool TemporaryFile::create() {
  path_ = target_;
  path_ += kMark + std::to_string(std::random_device{}());
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_system("cannot create");
  while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || status.st_nlink > 0) return true;
  ::close(descriptor_);
  descriptor_ = -1;
  return false;
}

TemporaryFile::~TemporaryFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(path_.c_str());
}

void TemporaryFile::write(const void* data, size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_system("cannot write");
    bytes += written;
    size -= static_cast<size_t>(written);
  }
}

void TemporaryFile::move_to_target() {
  if (::fsync(descriptor_) != 0) fail_system("cannot write");
  if (::rename(path_.c_str(), target_.c_str()) != 0) fail_system("cannot replace");
  ::close(descriptor_);
  descriptor_ = -1;
}

void TemporaryFile::fail_system(const char* what) const {
  fail(target_.string(), ": ", what, ": ", std::strerror(errno));
}

void remove_leftovers(const fs::path& target) {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : ".";
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error))
    if (is_temporary_of(target, entry->path().filename().string()))
      remove_if_abandoned(entry->path());
}

void replace_file(const fs::path& target, std::string_view text) {
  TemporaryFile file(target);
  file.write(text.data(), text.size());
  file.move_to_target();
}

}  // namespace base
