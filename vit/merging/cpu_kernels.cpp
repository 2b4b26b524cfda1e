#include <ATen/core/Tensor.h>

#include <vit/kernel_choice.h>
#include <vit/merging/cpu_kernels.h>

namespace vit::merging {

bool cpu_kernel_fits(const at::Tensor& x) {
  const bool dtype_fits = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && dtype_fits && !kernels::reference_only();
}

}  // namespace vit::merging
