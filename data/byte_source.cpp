#include "data/byte_source.h"

#include <base/error.h>

namespace data {

FileSource::FileSource(const std::filesystem::path& path) : ByteSource(path.string()), file_(path) {
  if (!file_.size()) base::fail(name(), ": is no regular file");
}

void FileSource::read(uint64_t offset, void* bytes, std::size_t count) const {
  file_.read_at(offset, bytes, count);
}

}  // namespace data
