#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <tome/kernels.h>
#include <tome/matching.h>
#include <tome/reference.h>
#include <tome/similarity.h>
#include <vit/merging/cpu_kernels.h>

namespace tome {
namespace {

/// While it lives, operators decide: without gradients, and in float32 even under autocast.
struct Deciding {
  at::NoGradGuard no_gradient;
  c10::impl::ExcludeDispatchKeyGuard no_autocast{c10::autocast_dispatch_keyset};
};

void check_metric(const char* where, const at::Tensor& metric) {
  TORCH_CHECK(metric.dim() == 3 && metric.is_floating_point(), where,
              ": expected a floating point metric [B, N, d], got ", metric.scalar_type(), " ",
              metric.sizes());
}

Matching nothing_merges(const at::Tensor& metric) {
  const auto options = metric.options().dtype(at::kLong);
  const int64_t batch = metric.size(0);
  Matching matching;
  matching.keep = at::arange(metric.size(1), options).expand({batch, -1});
  matching.removed = at::empty({batch, 0}, options);
  matching.into = at::empty({batch, 0}, options);
  return matching;
}

/// Positions of A and B patch tokens -> the matching in which every A token merges into its best B.
/// `a` [B, na] and `b` [B, nb] ascending; the rows are the prefix and then b.
Matching all_into_best(const at::Tensor& metric, const at::Tensor& a, const at::Tensor& b,
                       int64_t prefix_tokens) {
  const auto unit = normalized(metric);
  const auto pick = [&](const at::Tensor& positions) {
    return unit.gather(1, positions.unsqueeze(-1).expand({-1, -1, unit.size(2)}));
  };
  const auto prefix = at::arange(prefix_tokens, a.options()).expand({metric.size(0), -1});
  Matching matching;
  matching.keep = at::cat({prefix, b}, 1);
  matching.removed = a;
  matching.into = at::matmul(pick(a), pick(b).mT()).argmax(-1) + prefix_tokens;
  return matching;
}

Matching fused_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens) {
  const int64_t batch = metric.size(0), tokens = metric.size(1), dim = metric.size(2);
  const auto rows = metric.contiguous();
  const auto options = at::TensorOptions().dtype(at::kLong);
  Matching matching{at::empty({batch, tokens - r}, options), at::empty({batch, r}, options),
                    at::empty({batch, r}, options)};
  auto* keep = matching.keep.mutable_data_ptr<int64_t>();
  auto* removed = matching.removed.mutable_data_ptr<int64_t>();
  auto* into = matching.into.mutable_data_ptr<int64_t>();
  const auto run = [&]<typename T>(const T* data) {
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        cpu::match(data + i * tokens * dim, tokens, dim, r, prefix_tokens, keep + i * (tokens - r),
                   removed + i * r, into + i * r);
    });
  };
  if (metric.scalar_type() == at::kFloat)
    run(rows.const_data_ptr<float>());
  else
    run(rows.const_data_ptr<at::BFloat16>());
  return matching;
}

}  // namespace

int64_t merged_count(int64_t r, int64_t tokens, int64_t prefix_tokens) {
  return std::clamp<int64_t>(r, 0, std::max<int64_t>(tokens - prefix_tokens, 0) / 2);
}

Matching bipartite_soft_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens) {
  check_metric("bipartite_soft_matching", metric);
  TORCH_CHECK(r >= 0 && prefix_tokens >= 0,
              "bipartite_soft_matching: expected r and prefix_tokens of 0 or more, got ", r,
              " and ", prefix_tokens);
  const Deciding deciding;
  r = merged_count(r, metric.size(1), prefix_tokens);
  if (r == 0) return nothing_merges(metric);
  return vit::merging::cpu_kernel_fits(metric)
             ? fused_matching(metric, r, prefix_tokens)
             : reference::bipartite_soft_matching(metric, r, prefix_tokens);
}

Matching kth_bipartite_matching(const at::Tensor& metric, int64_t k) {
  check_metric("kth_bipartite_matching", metric);
  TORCH_CHECK(k >= 1, "kth_bipartite_matching: expected k of 1 or more, got ", k);
  const Deciding deciding;
  const int64_t groups = metric.size(1) / k;
  const auto positions =
      at::arange(groups * k, metric.options().dtype(at::kLong)).view({groups, k});
  const auto a = positions.slice(1, 0, k - 1).reshape({1, -1}).expand({metric.size(0), -1});
  const auto b = positions.slice(1, k - 1).reshape({1, -1}).expand({metric.size(0), -1});
  if (groups == 0 || k == 1) {
    auto matching = nothing_merges(metric);
    matching.keep = b;
    return matching;
  }
  return all_into_best(metric, a, b, /*prefix_tokens=*/0);
}

Matching random_bipartite_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens,
                                   std::optional<at::Generator> generator) {
  check_metric("random_bipartite_matching", metric);
  TORCH_CHECK(r >= 0 && prefix_tokens >= 0,
              "random_bipartite_matching: expected r and prefix_tokens of 0 or more, got ", r,
              " and ", prefix_tokens);
  const Deciding deciding;
  const int64_t patches = metric.size(1) - prefix_tokens;
  r = std::clamp<int64_t>(r, 0, std::max<int64_t>(patches - 1, 0));
  if (r == 0) return nothing_merges(metric);
  const auto shuffled =
      at::rand({metric.size(0), patches}, generator, metric.options().dtype(at::kFloat))
          .argsort(/*dim=*/int64_t{-1});
  const auto ascending = [&](const at::Tensor& picked) {
    return std::get<0>(picked.sort(-1)) + prefix_tokens;
  };
  return all_into_best(metric, ascending(shuffled.slice(1, 0, r)), ascending(shuffled.slice(1, r)),
                       prefix_tokens);
}

}  // namespace tome
