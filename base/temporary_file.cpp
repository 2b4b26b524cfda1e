#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <unistd.h>

#include <base/error.h>
#include <base/temporary_file.h>

namespace base {

TemporaryFile::TemporaryFile(const std::filesystem::path& target) : target_(target) {
  path_ = target;
  path_ += ".part-" + std::to_string(std::random_device{}());
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_system("cannot create");
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

void replace_file(const std::filesystem::path& target, std::string_view text) {
  TemporaryFile file(target);
  file.write(text.data(), text.size());
  file.move_to_target();
}

}  // namespace base
