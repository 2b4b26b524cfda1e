#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vit/merging/cpu_kernels.h>
#include <vit/merging/merge_kernel.h>
#include <vit/merging/weighted_merge.h>

namespace vit::merging {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Merged = std::pair<at::Tensor, at::Tensor>;

int64_t tokens_of(const Partition& partition) {
  return partition.keep.size(1) + partition.removed.size(1);
}

Partition contiguous(const Partition& partition) {
  return {partition.keep.contiguous(), partition.removed.contiguous(), partition.into.contiguous()};
}

const int64_t* indices(const at::Tensor& index, int64_t sample) {
  return index.const_data_ptr<int64_t>() + sample * index.size(1);
}

Merged fused_forward(const at::Tensor& x, const Partition& partition, const at::Tensor& size) {
  const int64_t batch = x.size(0), tokens = x.size(1), channels = x.size(2);
  const auto [keep, removed, into] = contiguous(partition);
  const int64_t rows = keep.size(1), count = removed.size(1);
  const auto values = x.contiguous();
  const auto sizes = size.defined() ? size.to(at::kFloat).contiguous() : at::Tensor();
  auto out = at::empty({batch, rows, channels}, x.options());
  auto out_size = at::empty({batch, rows}, x.options().dtype(at::kFloat));

  const float* weights = sizes.defined() ? sizes.const_data_ptr<float>() : nullptr;
  const auto run = [&, &keep = keep, &removed = removed, &into = into]<typename T>(const T* from,
                                                                                   T* to) {
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        merge_weighted(from + i * tokens * channels, weights ? weights + i * tokens : nullptr,
                       channels, indices(keep, i), rows, indices(removed, i), indices(into, i),
                       count, to + i * rows * channels,
                       out_size.mutable_data_ptr<float>() + i * rows);
    });
  };
  if (x.scalar_type() == at::kFloat)
    run(values.const_data_ptr<float>(), out.mutable_data_ptr<float>());
  else
    run(values.const_data_ptr<at::BFloat16>(), out.mutable_data_ptr<at::BFloat16>());
  return {out, out_size};
}

/// What a backward pass needs: indices and `weight` [B, tokens] float32, how much of the row that
/// it went into each token makes up.
struct Plan {
  Partition partition;
  at::Tensor weight;
};

/// Composed of operators that have gradients of their own.
at::Tensor composed_backward(const at::Tensor& gradient, const Plan& plan) {
  return unmerge(gradient, plan.partition) * plan.weight.unsqueeze(-1).to(gradient.scalar_type());
}

at::Tensor fused_backward(const at::Tensor& gradient, const Plan& plan) {
  const int64_t batch = gradient.size(0), rows = gradient.size(1), channels = gradient.size(2);
  const int64_t tokens = tokens_of(plan.partition), count = plan.partition.removed.size(1);
  const auto from = gradient.contiguous();
  auto out = at::empty({batch, tokens, channels}, from.options());
  const auto run = [&]<typename T>(const T* gradients, T* to) {
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float* weight = plan.weight.const_data_ptr<float>() + i * tokens;
        scatter_rows(gradients + i * rows * channels, weight, channels,
                     indices(plan.partition.keep, i), rows, indices(plan.partition.removed, i),
                     indices(plan.partition.into, i), count, to + i * tokens * channels);
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
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const at::Tensor& keep, const at::Tensor& removed,
                               const at::Tensor& into, const at::Tensor& size) {
    const Partition partition = contiguous({keep, removed, into});
    auto [out, out_size] = fused_forward(x, partition, size);
    const auto weight = size / unmerge(out_size.unsqueeze(-1), partition).squeeze(-1);
    context->save_for_backward({partition.keep, partition.removed, partition.into, weight});
    context->mark_non_differentiable({out_size});
    return {out, out_size};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Plan plan{{saved[0], saved[1], saved[2]}, saved[3]};
    const auto dx = c10::GradMode::is_enabled() ? composed_backward(gradients[0], plan)
                                                : fused_backward(gradients[0], plan);
    return {dx, {}, {}, {}, {}};
  }
};

bool differentiable(const at::Tensor& x) {
  return c10::GradMode::is_enabled() && x.defined() && x.requires_grad();
}

}  // namespace

at::Tensor unmerge(const at::Tensor& x, const Partition& partition) {
  const auto channels = [&](const at::Tensor& index) {
    return index.unsqueeze(-1).expand({-1, -1, x.size(2)});
  };
  const auto taken = x.gather(1, channels(partition.into));
  return x.new_empty({x.size(0), tokens_of(partition), x.size(2)})
      .scatter(1, channels(partition.keep), x)
      .scatter(1, channels(partition.removed), taken);
}

bool weighted_merge_fits(const at::Tensor& x, const Partition& partition, const at::Tensor& size) {
  // Tokens outside the partition, and sizes with gradients, are too rare for kernels of their own.
  const bool special = differentiable(size) || x.size(1) != tokens_of(partition);
  return cpu_kernel_fits(x) && !(differentiable(x) && special);
}

std::pair<at::Tensor, at::Tensor> weighted_merge(const at::Tensor& x, const Partition& partition,
                                                 const at::Tensor& size) {
  if (!differentiable(x)) return fused_forward(x, partition, size);
  const auto weights =
      size.defined() ? size.detach().to(at::kFloat) : at::ones({x.size(0), x.size(1)}, at::kFloat);
  const auto result =
      Function::apply(x, partition.keep, partition.removed, partition.into, weights);
  return {result[0], result[1]};
}

}  // namespace vit::merging
