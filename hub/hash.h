#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace hub {

/// Checks a file against its ETag while it comes in. A hub names large files by their SHA-256 and
/// small ones by what git calls them, the SHA-1 of "blob SIZE\0" and the content. Other ETags say
/// nothing about the content.
class Checksum {
 public:
  /// `size` of the whole file, if it is known.
  Checksum(const std::string& etag, std::optional<uint64_t> size);
  ~Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;

  void update(const char* data, std::size_t size);

  /// All that went through update() is what the ETag names. Ends the calculation.
  bool matches();

 private:
  struct Digests;
  std::string expected_;
  std::unique_ptr<Digests> digests_;
};

}  // namespace hub
