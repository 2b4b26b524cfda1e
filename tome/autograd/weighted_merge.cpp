#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <tome/autograd/weighted_merge.h>
#include <tome/kernels.h>
#include <tome/merge.h>

namespace tome::autograd {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What a backward pass needs: indices and `share` [B, tokens] float32, how much of the row that it
/// went into each token makes up.
struct Plan {
  Matching matching;
  at::Tensor share;
};

/// Composed of operators that have gradients of their own.
at::Tensor composed_backward(const at::Tensor& gradient, const Plan& plan) {
  return unmerge(gradient, plan.matching) * plan.share.unsqueeze(-1).to(gradient.scalar_type());
}

at::Tensor fused_backward(const at::Tensor& gradient, const Plan& plan) {
  const int64_t batch = gradient.size(0), rows = gradient.size(1), channels = gradient.size(2);
  const int64_t tokens = plan.matching.tokens(), count = plan.matching.removed.size(1);
  const auto from = gradient.contiguous();
  auto out = at::empty({batch, tokens, channels}, from.options());
  const auto run = [&]<typename T>(const T* gradients, T* to) {
    const auto indices = [&](const at::Tensor& index, int64_t sample) {
      return index.const_data_ptr<int64_t>() + sample * index.size(1);
    };
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float* share = plan.share.const_data_ptr<float>() + i * tokens;
        cpu::share_rows(gradients + i * rows * channels, share, channels,
                        indices(plan.matching.keep, i), rows, indices(plan.matching.removed, i),
                        indices(plan.matching.into, i), count, to + i * tokens * channels);
      }
    });
  };
  if (from.scalar_type() == at::kFloat)
    run(from.const_data_ptr<float>(), out.mutable_data_ptr<float>());
  else
    run(from.const_data_ptr<at::BFloat16>(), out.mutable_data_ptr<at::BFloat16>());
  return out;
}

class Function : public torch::autograd::Function<Function> {
 public:
  // The first tensor is the one that compute() merges: the graph learns here what depends on it.
  static variable_list forward(AutogradContext* context, const at::Tensor&, const at::Tensor& keep,
                               const at::Tensor& removed, const at::Tensor& into,
                               const at::Tensor& size, const std::function<Merged()>& compute) {
    auto [out, out_size] = compute();
    const Matching matching{keep.contiguous(), removed.contiguous(), into.contiguous()};
    const auto share = size / unmerge(out_size.unsqueeze(-1), matching).squeeze(-1);
    context->save_for_backward({matching.keep, matching.removed, matching.into, share});
    context->mark_non_differentiable({out_size});
    return {out, out_size};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Plan plan{{saved[0], saved[1], saved[2]}, saved[3]};
    const auto dx = c10::GradMode::is_enabled() ? composed_backward(gradients[0], plan)
                                                : fused_backward(gradients[0], plan);
    return {dx, {}, {}, {}, {}, {}};
  }
};

}  // namespace

Merged merge_weighted(const at::Tensor& x, const Matching& matching, const at::Tensor& size,
                      const std::function<Merged()>& forward) {
  const auto weights =
      size.defined() ? size.detach().to(at::kFloat) : at::ones({x.size(0), x.size(1)}, at::kFloat);
  auto result =
      Function::apply(x, matching.keep, matching.removed, matching.into, weights, forward);
  return {result[0], result[1]};
}

}  // namespace tome::autograd
