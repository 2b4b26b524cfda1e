#pragma once

#include <cstdint>
#include <optional>

#include <c10/util/ArrayRef.h>

namespace vit {

/// Bytes of a contiguous tensor; nothing if a dim is negative or the strides or the bytes overflow.
std::optional<int64_t> checked_bytes(c10::ArrayRef<int64_t> shape, int64_t element_size);

}  // namespace vit
