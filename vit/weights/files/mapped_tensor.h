#pragma once

#include <cstddef>
#include <memory>

#include <ATen/core/Tensor.h>

#include <vit/weights/mapped_file.h>

namespace vit {

/// A contiguous tensor over the bytes of `file` from `offset` on, which keeps it mapped and is the
/// only one over these bytes that may be written to; a copy where the bytes are not aligned to the
/// element size. The caller has checked that they lie in the file.
at::Tensor tensor_in(const std::shared_ptr<MappedFile>& file, size_t offset, at::IntArrayRef shape,
                     at::ScalarType dtype);

}  // namespace vit
