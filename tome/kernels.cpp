#include <ATen/core/Tensor.h>

#include <tome/kernels.h>
#include <vit/kernels/choice.h>

namespace tome {

bool cpu_kernel_fits(const at::Tensor& x) {
  const bool dtype_fits = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && dtype_fits && !vit::kernels::reference_only();
}

}  // namespace tome
