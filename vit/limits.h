#pragma once

#include <cstdint>

#include <vit/error.h>

namespace vit {

// Far above every published model, far below what would exhaust memory by a typing mistake.
constexpr int64_t kMaxImageSide = 1 << 16;
constexpr int64_t kMaxFrames = 1 << 16;
constexpr int64_t kMaxDim = 1 << 16;
constexpr int64_t kMaxDepth = 1024;
constexpr int64_t kMaxClasses = 1 << 24;
constexpr int64_t kMaxPrefixTokens = 1 << 12;
constexpr int64_t kMaxTokens = 1 << 20;

/// Throws Error that names `field` unless low <= value <= high.
inline void check_range(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    fail("model config: ", field, " is ", value, ", expected ", low, " to ", high);
}

}  // namespace vit
