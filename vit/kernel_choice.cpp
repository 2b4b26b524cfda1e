#include <cstdlib>
#include <string_view>

#include <vit/error.h>
#include <vit/kernel_choice.h>

namespace vit::kernels {

bool reference_only() {
  const char* value = std::getenv("VITOME_KERNELS");
  if (!value || std::string_view(value).empty() || std::string_view(value) == "auto") return false;
  if (std::string_view(value) == "reference") return true;
  fail("VITOME_KERNELS is \"", value, "\", expected \"auto\" or \"reference\"");
}

}  // namespace vit::kernels
