#pragma once

#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace vit {

/// Named tensors as a file holds them, in their own dtype. Memory-mapped ones keep their file
/// mapped for as long as any of them lives; writing to them changes this process's copy only.
using StateDict = std::map<std::string, at::Tensor>;

}  // namespace vit
