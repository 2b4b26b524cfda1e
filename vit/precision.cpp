#include <vit/kernels/cpu_features.h>
#include <vit/kernels/fused_blocks.h>
#include <vit/precision.h>

namespace vit {

std::string Precision::name() const {
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

bool has_native_int8() { return kernels::has_native_int8(); }
bool has_fast_bf16() { return kernels::cpu_features().fast_bf16; }

}  // namespace vit
