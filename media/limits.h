#pragma once

#include <cstdint>

namespace media {

/// Pictures with more pixels are refused from their header alone.
inline constexpr int64_t kMaxPixels = 178'956'970;

}  // namespace media
