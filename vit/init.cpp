#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <vit/init.h>

namespace vit {

void init_parameter(const std::string& name, at::Tensor parameter, at::Generator& generator) {
  const c10::AutoGradMode no_gradient(false);
  constexpr double kStd = 0.02;
  if (name.ends_with("bias"))
    parameter.zero_();
  else if (name.ends_with("gamma"))
    parameter.fill_(1e-5);
  else if (name.find("norm") != std::string::npos)
    parameter.fill_(1.0);
  else
    parameter.copy_(at::empty(parameter.sizes(), at::kFloat)
                        .normal_(0.0, kStd, generator)
                        .clamp_(-2 * kStd, 2 * kStd));
}

}  // namespace vit
