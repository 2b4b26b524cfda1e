#include "data/byte_source.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/error.h>

namespace data {

FileSource::FileSource(const std::filesystem::path& path)
    : ByteSource(path.string()), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) base::fail(name(), ": cannot open the file: ", std::strerror(errno));
  struct stat status {};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    base::fail(name(), ": is no regular file");
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

FileSource::~FileSource() { close(descriptor_); }

void FileSource::read(uint64_t offset, void* bytes, std::size_t count) const {
  auto* place = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = pread(descriptor_, place, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) base::fail(name(), ": cannot read the file: ", std::strerror(errno));
    if (got == 0) base::fail(name(), ": the file has become shorter while it was read");
    place += got;
    offset += static_cast<uint64_t>(got);
    count -= static_cast<std::size_t>(got);
  }
}

}  // namespace data
