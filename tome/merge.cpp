#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <tome/autograd/weighted_merge.h>
#include <tome/kernels.h>
#include <tome/merge.h>
#include <tome/reference.h>

namespace tome {
namespace {

void check_tokens(const char* where, const at::Tensor& x, const Matching& matching,
                  int64_t tokens) {
  TORCH_CHECK(matching.keep.dim() == 2 && matching.removed.dim() == 2 &&
                  matching.into.sizes() == matching.removed.sizes() &&
                  matching.keep.size(0) == matching.removed.size(0),
              where, ": expected keep [B, rows], removed [B, r] and into [B, r], got ",
              matching.keep.sizes(), ", ", matching.removed.sizes(), " and ",
              matching.into.sizes());
  // k-th matching leaves out the tail of a sequence, so x may be longer than the matching.
  TORCH_CHECK(x.dim() == 3 && x.size(0) == matching.keep.size(0) && x.size(1) >= tokens, where,
              ": expected x of [", matching.keep.size(0), ", ", tokens, ", C], got ", x.sizes());
}

/// The kernels index raw memory, so a matching from outside is checked before they see it.
void check_indices(const char* where, const at::Tensor& index, int64_t limit) {
  if (index.numel() == 0) return;
  const auto [low, high] = at::aminmax(index);
  TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < limit, where,
              ": indices run from ", low.item<int64_t>(), " to ", high.item<int64_t>(),
              ", expected 0 to ", limit - 1);
}

std::pair<at::Tensor, at::Tensor> fused_merge_weighted(const at::Tensor& x,
                                                       const Matching& matching,
                                                       const at::Tensor& size) {
  const int64_t batch = x.size(0), tokens = x.size(1), channels = x.size(2);
  const int64_t rows = matching.rows(), count = matching.removed.size(1);
  const auto values = x.contiguous();
  const auto sizes = size.defined() ? size.to(at::kFloat).contiguous() : at::Tensor();
  const auto keep = matching.keep.contiguous(), removed = matching.removed.contiguous(),
             into = matching.into.contiguous();
  check_indices("merge_weighted", keep, tokens);
  check_indices("merge_weighted", removed, tokens);
  check_indices("merge_weighted", into, rows);
  auto out = at::empty({batch, rows, channels}, x.options());
  auto out_size = at::empty({batch, rows}, x.options().dtype(at::kFloat));

  const float* weights = sizes.defined() ? sizes.const_data_ptr<float>() : nullptr;
  const auto run = [&]<typename T>(const T* from, T* to) {
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        cpu::merge_weighted(from + i * tokens * channels, weights ? weights + i * tokens : nullptr,
                            channels, keep.const_data_ptr<int64_t>() + i * rows, rows,
                            removed.const_data_ptr<int64_t>() + i * count,
                            into.const_data_ptr<int64_t>() + i * count, count,
                            to + i * rows * channels,
                            out_size.mutable_data_ptr<float>() + i * rows);
    });
  };
  if (x.scalar_type() == at::kFloat)
    run(values.const_data_ptr<float>(), out.mutable_data_ptr<float>());
  else
    run(values.const_data_ptr<at::BFloat16>(), out.mutable_data_ptr<at::BFloat16>());
  return {out, out_size};
}

}  // namespace

at::Tensor merge(const at::Tensor& x, const Matching& matching, Reduction reduction) {
  check_tokens("merge", x, matching, matching.tokens());
  return reference::merge(x, matching, reduction);
}

std::pair<at::Tensor, at::Tensor> merge_weighted(const at::Tensor& x, const Matching& matching,
                                                 const at::Tensor& size) {
  check_tokens("merge_weighted", x, matching, matching.tokens());
  TORCH_CHECK(!size.defined() ||
                  (size.dim() == 2 && size.size(0) == x.size(0) && size.size(1) == x.size(1)),
              "merge_weighted: expected size of [", x.size(0), ", ", x.size(1), "], got ",
              size.sizes());
  const auto differentiable = [](const at::Tensor& y) {
    return c10::GradMode::is_enabled() && y.defined() && y.requires_grad();
  };
  // What matching leaves out, and sizes with gradients, are too rare for kernels of their own.
  const bool special = differentiable(size) || x.size(1) != matching.tokens();
  if (!cpu_kernel_fits(x) || (differentiable(x) && special))
    return reference::merge_weighted(x, matching, size);
  const auto fused = [&] { return fused_merge_weighted(x, matching, size); };
  return differentiable(x) ? autograd::merge_weighted(x, matching, size, fused) : fused();
}

at::Tensor merge_source(const at::Tensor& source, const Matching& matching) {
  return merge(source, matching, Reduction::max);
}

at::Tensor unmerge(const at::Tensor& x, const Matching& matching) {
  check_tokens("unmerge", x, matching, matching.rows());
  const auto channels = [&](const at::Tensor& index) {
    return index.unsqueeze(-1).expand({-1, -1, x.size(2)});
  };
  const auto taken = x.gather(1, channels(matching.into));
  return x.new_empty({x.size(0), matching.tokens(), x.size(2)})
      .scatter(1, channels(matching.keep), x)
      .scatter(1, channels(matching.removed), taken);
}

}  // namespace tome
