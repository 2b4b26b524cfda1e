#include "tests/support/fused_runs.h"

#include <vit/kernel_choice.h>

#ifdef VITOME_CPU_KERNELS
#include <vit/kernels/product.h>
#endif

namespace test {

bool has_fused_blocks() {
#ifdef VITOME_CPU_KERNELS
  return vit::kernels::is_native(vit::kernels::Math::fp32) && !vit::kernels::reference_only();
#else
  return false;
#endif
}

}  // namespace test
