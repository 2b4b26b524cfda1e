#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <data/byte_source.h>

namespace data {

/// A regular file in a tar archive.
struct TarMember {
  std::string name;
  uint64_t offset = 0;  ///< of its contents in the archive
  uint64_t size = 0;
};

/// The regular files of a tar archive (v7, ustar, GNU long names, pax), in its order, from their
/// headers alone; archives one after the other in a file count as one. Memory grows with the file,
/// not with what it claims.
///
/// Throws base::Error that names the file and the place: not a tar archive, compressed, damaged,
/// cut off, with links or sparse files in it.
std::vector<TarMember> list_tar(const ByteSource& source);

}  // namespace data
