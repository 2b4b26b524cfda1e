#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <vit/init.h>

namespace vit {

namespace {

/// Where RoPE-ViT (arXiv 2403.13298) starts from: those of axial positions of base 10, each head's
/// axes turned by an angle of its own. [2, heads, angles].
at::Tensor rotary_freqs(int64_t heads, int64_t angles, at::Generator& generator) {
  constexpr double kBase = 10, kPi = 3.141592653589793;
  const int64_t count = angles / 2;
  const auto lengths =
      at::pow(kBase, at::arange(count, at::kFloat) * (-1.0 / static_cast<double>(count)));
  const auto turn = at::empty({heads, 1}, at::kFloat).uniform_(0, 2 * kPi, generator);
  const auto of_columns = at::cat({lengths * turn.cos(), lengths * (turn + kPi / 2).cos()}, 1);
  const auto of_rows = at::cat({lengths * turn.sin(), lengths * (turn + kPi / 2).sin()}, 1);
  return at::stack({of_columns, of_rows});
}

}  // namespace

void init_parameter(const std::string& name, at::Tensor parameter, at::Generator& generator) {
  const c10::AutoGradMode no_gradient(false);
  constexpr double kStd = 0.02;
  if (name.ends_with("bias"))
    parameter.zero_();
  else if (name.ends_with("gamma"))
    parameter.fill_(1e-5);
  else if (name.find("norm") != std::string::npos)
    parameter.fill_(1.0);
  else if (name.ends_with("freqs"))
    parameter.copy_(rotary_freqs(parameter.size(1), parameter.size(2), generator));
  else
    parameter.copy_(at::empty(parameter.sizes(), at::kFloat)
                        .normal_(0.0, kStd, generator)
                        .clamp_(-2 * kStd, 2 * kStd));
}

}  // namespace vit
