#include <cstdlib>
#include <string_view>

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <tome/kernels.h>
#include <vit/error.h>

namespace tome {

bool reference_only() {
  const char* value = std::getenv("VITOME_KERNELS");
  if (!value || std::string_view(value).empty() || std::string_view(value) == "auto") return false;
  if (std::string_view(value) == "reference") return true;
  vit::fail("VITOME_KERNELS is \"", value, "\", expected \"auto\" or \"reference\"");
}

bool cpu_kernel_fits(const at::Tensor& x) {
  const bool needs_grad = c10::GradMode::is_enabled() && x.requires_grad();
  const bool dtype_fits = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && dtype_fits && !needs_grad && !reference_only();
}

}  // namespace tome
