#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/error.h>
#include <base/mapped_file.h>

namespace base {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer before its type can be seen.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.value() < 0) fail(path.string(), ": cannot open: ", std::strerror(errno));
  struct stat info {};
  if (::fstat(file.value(), &info) != 0)
    fail(path.string(), ": cannot read its size: ", std::strerror(errno));
  if (!S_ISREG(info.st_mode)) fail(path.string(), ": is not a regular file");

  const auto size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    // NORESERVE: a private writable mapping would otherwise count as memory in use, and a
    // checkpoint larger than the free memory could not be opened.
    data =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.value(), 0);
    if (data == MAP_FAILED) fail(path.string(), ": cannot map into memory: ", std::strerror(errno));
  }
  const auto unmap = [](uint8_t* mapped, size_t length) {
    if (mapped) ::munmap(mapped, length);
  };
  return std::shared_ptr<MappedFile>(
      new MappedFile(path, static_cast<uint8_t*>(data), size, unmap));
}

std::shared_ptr<MappedFile> MappedFile::in_memory(const std::filesystem::path& path,
                                                  std::string_view bytes) {
  auto copy = std::make_unique<uint8_t[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  const auto free_copy = [](uint8_t* data, size_t) { delete[] data; };
  return std::shared_ptr<MappedFile>(new MappedFile(path, copy.release(), bytes.size(), free_copy));
}

}  // namespace base
