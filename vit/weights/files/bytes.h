#pragma once

#include <bit>
#include <cstring>

namespace vit {

static_assert(std::endian::native == std::endian::little,
              "weights files are little-endian and are used without conversion");

/// The number that lies at `bytes`, aligned or not.
template <typename T>
T load_number(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

}  // namespace vit
