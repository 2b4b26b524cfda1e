#include <ATen/ATen.h>

#include <tome/reference.h>
#include <tome/similarity.h>

namespace tome::reference {
namespace {

/// index [B, n] -> [B, n, C], as gather and scatter want it.
at::Tensor spread(const at::Tensor& index, int64_t channels) {
  return index.unsqueeze(-1).expand({-1, -1, channels});
}

at::Tensor rows_of(const at::Tensor& x, const at::Tensor& positions) {
  return x.gather(1, spread(positions, x.size(2)));
}

}  // namespace

Matching bipartite_soft_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens) {
  const int64_t batch = metric.size(0), tokens = metric.size(1);
  const auto options = metric.options().dtype(at::kLong);
  const int64_t a_prefix = (prefix_tokens + 1) / 2, b_prefix = prefix_tokens / 2;

  const auto unit = normalized(metric);
  auto scores = at::matmul(unit.slice(1, 0, tokens, 2), unit.slice(1, 1, tokens, 2).mT());
  // Only patch tokens take part: prefix tokens are cut out of the score matrix.
  scores = scores.slice(1, a_prefix).slice(2, b_prefix);
  const auto [best, partner] = scores.max(-1);
  const auto order = best.argsort(/*stable=*/true, /*dim=*/-1, /*descending=*/true) + a_prefix;
  const auto merged = std::get<0>(order.slice(1, 0, r).sort(-1));
  auto unmerged = order.slice(1, r);
  if (prefix_tokens > 0) unmerged = std::get<0>(unmerged.sort(-1));

  const auto prefix = at::arange(prefix_tokens, options).expand({batch, -1});
  const auto b_patches = at::arange(b_prefix, tokens / 2, options).expand({batch, -1});
  Matching matching;
  matching.keep = at::cat({prefix, unmerged * 2, b_patches * 2 + 1}, 1);
  matching.removed = merged * 2;
  const int64_t first_b_row = prefix_tokens + unmerged.size(1);
  matching.into = partner.gather(1, merged - a_prefix) + first_b_row;
  return matching;
}

at::Tensor merge(const at::Tensor& x, const Matching& matching, Reduction reduction) {
  const auto kept = rows_of(x, matching.keep), removed = rows_of(x, matching.removed);
  const auto into = spread(matching.into, x.size(2));
  switch (reduction) {
    case Reduction::sum:
      return kept.scatter_add(1, into, removed);
    case Reduction::mean:
      return kept.scatter_reduce(1, into, removed, "mean", /*include_self=*/true);
    case Reduction::max:
      return kept.scatter_reduce(1, into, removed, "amax", /*include_self=*/true);
  }
  TORCH_CHECK(false, "merge: unknown reduction ", static_cast<int>(reduction));
}

std::pair<at::Tensor, at::Tensor> merge_weighted(const at::Tensor& x, const Matching& matching,
                                                 const at::Tensor& size) {
  const auto weight = size.defined()
                          ? size.to(at::kFloat)
                          : at::ones({x.size(0), x.size(1)}, x.options().dtype(at::kFloat));
  // Sums run in float32 at least: bfloat16 cannot even count to 257.
  const auto wide = at::promote_types(x.scalar_type(), at::kFloat);
  const auto total = reference::merge(weight.unsqueeze(-1), matching, Reduction::sum);
  const auto sum = reference::merge(x.to(wide) * weight.unsqueeze(-1), matching, Reduction::sum);
  return {(sum / total).to(x.scalar_type()), total.squeeze(-1)};
}

}  // namespace tome::reference
