#pragma once

#include <string>

#include <ATen/core/ScalarType.h>

namespace vit {

/// What a model computes in.
struct Precision {
  at::ScalarType dtype = at::kFloat;
  bool int8 = false;  ///< linear layers of the blocks in 8-bit integers, the rest in dtype

  bool operator==(const Precision&) const = default;

  /// "fp32", "bf16", "fp16" or "int8"; c10's name of another dtype.
  std::string name() const {
    if (int8) return "int8";
    switch (dtype) {
      case at::kFloat:
        return "fp32";
      case at::kBFloat16:
        return "bf16";
      case at::kHalf:
        return "fp16";
      default:
        return c10::toString(dtype);
    }
  }
};

}  // namespace vit
