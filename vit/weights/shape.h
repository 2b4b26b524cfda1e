#pragma once

#include <cstdint>
#include <optional>

#include <c10/core/ScalarType.h>
#include <c10/util/ArrayRef.h>

namespace vit {

/// Bytes of a contiguous tensor; nothing if a dim is negative or the strides or the bytes overflow.
std::optional<int64_t> checked_bytes(c10::ArrayRef<int64_t> shape, int64_t element_size);

/// Whether numbers of this type can be converted to those that a model computes in.
bool is_type_of_weights(at::ScalarType type);

}  // namespace vit
