#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace distributed {

/// Tensors that travel as one message: all of one dtype and device, together not much more than
/// `most_bytes`, unless one tensor alone is larger.
using Bucket = std::vector<at::Tensor>;

/// Puts `tensors` into few buckets, in an order that only depends on their sizes, dtypes and
/// devices. Tensors without elements are left out.
std::vector<Bucket> make_buckets(const std::vector<at::Tensor>& tensors, int64_t most_bytes);

/// The elements of a bucket one after the other, [elements]; its memory itself if that is possible.
at::Tensor flatten(const Bucket& bucket);

/// Writes what flatten() gave, or a tensor of its size, back to the tensors of the bucket.
void unflatten(const at::Tensor& flat, const Bucket& bucket);

}  // namespace distributed
