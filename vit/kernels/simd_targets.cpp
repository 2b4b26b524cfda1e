#include <vit/kernels/cpu_features.h>
#include <vit/kernels/simd_targets.h>

namespace vit::simd {

bool leave_out_unfit_targets() {
  if (!kernels::cpu_features().avx512_bf16) hwy::DisableTargets(HWY_AVX3_DL);
  return true;
}

}  // namespace vit::simd
