#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/error.h>
#include <base/input_file.h>

namespace base {

// O_NONBLOCK, since opening a named pipe would otherwise wait for a writer.
InputFile::InputFile(const std::filesystem::path& path)
    : name_(path.string()), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail(name_, ": cannot open the file: ", std::strerror(errno));
  try {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail_to_read();
    if (S_ISREG(status.st_mode)) size_ = static_cast<uint64_t>(status.st_size);
    if (S_ISFIFO(status.st_mode)) check_for_writer();
    const int flags = ::fcntl(descriptor_, F_GETFL);
    if (flags < 0 || ::fcntl(descriptor_, F_SETFL, flags & ~O_NONBLOCK) != 0) fail_to_read();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

InputFile::~InputFile() { ::close(descriptor_); }

// Without a writer a pipe ends at once; with one that has not written yet it would have to be
// waited for. One that waits for us in open() counts.
void InputFile::check_for_writer() {
  char byte = 0;
  ssize_t got = 0;
  while ((got = ::read(descriptor_, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (got == 0)
    fail(name_, ": is a named pipe that nobody writes to; start what writes to it first");
  if (got > 0)
    first_ = byte;
  else if (errno != EAGAIN)
    fail_to_read();
}

std::size_t InputFile::read(void* bytes, std::size_t count) {
  auto* place = static_cast<char*>(bytes);
  std::size_t total = 0;
  if (first_ && count > 0) {
    place[total++] = *first_;
    first_.reset();
  }
  while (total < count) {
    const ssize_t got = ::read(descriptor_, place + total, count - total);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_to_read();
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

void InputFile::read_at(uint64_t offset, void* bytes, std::size_t count) const {
  auto* place = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor_, place, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_to_read();
    if (got == 0) fail(name_, ": the file has become shorter while it was read");
    place += got;
    offset += static_cast<uint64_t>(got);
    count -= static_cast<std::size_t>(got);
  }
}

void InputFile::fail_to_read() const {
  fail(name_, ": cannot read the file: ", std::strerror(errno));
}

std::string read_whole(const std::filesystem::path& path) {
  constexpr std::size_t kStep = 1 << 16;
  InputFile file(path);
  std::string text;
  for (std::size_t got = 1; got > 0;) {
    const std::size_t before = text.size();
    text.resize(before + kStep);
    got = file.read(text.data() + before, kStep);
    text.resize(before + got);
  }
  return text;
}

}  // namespace base
