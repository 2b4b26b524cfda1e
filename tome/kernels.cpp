#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <tome/kernels.h>
#include <vit/kernels/choice.h>

namespace tome {

bool cpu_kernel_fits(const at::Tensor& x) {
  const bool needs_grad = c10::GradMode::is_enabled() && x.requires_grad();
  const bool dtype_fits = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && dtype_fits && !needs_grad && !vit::kernels::reference_only();
}

}  // namespace tome
