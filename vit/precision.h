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
  std::string name() const;
};

/// Whether the fused kernels are built in and this CPU multiplies 8-bit integers natively.
bool has_native_int8();

/// Whether this CPU multiplies bfloat16 in clearly less time than float32.
bool has_fast_bf16();

}  // namespace vit
