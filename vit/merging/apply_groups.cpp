#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include <vit/merging/apply_groups.h>
#include <vit/merging/check_groups.h>
#include <vit/merging/weighted_merge.h>

namespace vit::merging {
namespace {

void check_shapes(const BatchGroups& groups, const TokenState& state) {
  const int64_t batch = state.tokens.size(0), tokens = state.tokens.size(1);
  const auto is_index = [&](const at::Tensor& x) {
    return x.defined() && x.scalar_type() == at::kLong && x.dim() == 2 && x.size(0) == batch;
  };
  TORCH_CHECK(is_index(groups.keep) && is_index(groups.removed) && is_index(groups.into) &&
                  groups.into.sizes() == groups.removed.sizes(),
              "token reducer: expected keep [", batch, ", rows], removed and into [", batch,
              ", count] in int64, got ", groups.keep.sizes(), ", ", groups.removed.sizes(), " and ",
              groups.into.sizes());
  const auto has_shape = [](const at::Tensor& x, at::IntArrayRef shape) {
    return x.defined() && x.sizes() == shape;
  };
  TORCH_CHECK(
      groups.row_rule != RowRule::weighted_sum || has_shape(groups.weights, {batch, tokens}),
      "token reducer: expected weights of [", batch, ", ", tokens, "]");
  TORCH_CHECK(groups.size_rule != SizeRule::given ||
                  has_shape(groups.sizes, {batch, groups.keep.size(1)}),
              "token reducer: expected sizes of [", batch, ", ", groups.keep.size(1), "]");
  TORCH_CHECK(groups.counts.empty() || static_cast<int64_t>(groups.counts.size()) == batch,
              "token reducer: expected counts of ", batch, " samples, got ", groups.counts.size());
}

/// check_groups() of every sample. Returns whether all tokens of all samples are in rows and all
/// rows stand at tokens, without padding anywhere.
bool check_samples(const TokenReducer& reducer, const BatchGroups& groups,
                   const TokenState& state) {
  const int64_t rows = groups.keep.size(1), count = groups.removed.size(1);
  const auto keep = groups.keep.contiguous(), removed = groups.removed.contiguous(),
             into = groups.into.contiguous();
  const auto floats = [](const at::Tensor& x) {
    return x.defined() ? x.detach().to(at::kFloat).contiguous() : x;
  };
  const auto sizes = floats(groups.sizes);
  std::vector<int64_t> row_of(state.tokens.size(1));
  bool complete = state.counts.empty() && groups.counts.empty();
  for (int64_t i = 0; i < keep.size(0); ++i) {
    LayerTokens at = state.layer_tokens();
    if (!state.counts.empty()) at.tokens = state.counts[i];
    Groups sample{.keep = keep.mutable_data_ptr<int64_t>() + i * rows,
                  .removed = removed.mutable_data_ptr<int64_t>() + i * count,
                  .into = into.mutable_data_ptr<int64_t>() + i * count,
                  .weights = nullptr,
                  .sizes = sizes.defined() ? sizes.mutable_data_ptr<float>() + i * rows : nullptr};
    sample.rows = groups.counts.empty() ? rows : groups.counts[i];
    TORCH_CHECK(sample.rows >= 0 && sample.rows <= rows, "token reducer: counts[", i, "] is ",
                sample.rows, ", expected 0 to ", rows);
    const int64_t standing = std::count_if(sample.keep, sample.keep + sample.rows,
                                           [](int64_t token) { return token >= 0; });
    sample.count = std::min(at.tokens - standing, count);
    sample.size_rule = groups.size_rule;
    complete = check_groups(reducer, at, sample, row_of.data()) && complete;
  }
  return complete;
}

/// Sums over groups, of which -1 is a part anywhere.
class Sums {
 public:
  explicit Sums(const BatchGroups& groups)
      : keep_(groups.keep.clamp_min(0)),
        removed_(groups.removed.clamp_min(0)),
        into_(groups.into.clamp_min(0)),
        stands_(groups.keep.ge(0)),
        goes_(groups.removed.ge(0).logical_and(groups.into.ge(0))) {}

  /// x [B, N, C] -> [B, rows, C]
  at::Tensor operator()(const at::Tensor& x) const {
    return kept(x).scatter_add(1, spread(into_, x), taken(x));
  }

  /// The largest ones, of x of 0 or more.
  at::Tensor largest(const at::Tensor& x) const {
    return kept(x).scatter_reduce(1, spread(into_, x), taken(x), "amax");
  }

 private:
  static at::Tensor spread(const at::Tensor& index, const at::Tensor& x) {
    return index.unsqueeze(-1).expand({-1, -1, x.size(2)});
  }
  at::Tensor kept(const at::Tensor& x) const {
    return x.gather(1, spread(keep_, x)).mul(stands_.unsqueeze(-1));
  }
  at::Tensor taken(const at::Tensor& x) const {
    return x.gather(1, spread(removed_, x)).mul(goes_.unsqueeze(-1));
  }

  at::Tensor keep_, removed_, into_, stands_, goes_;
};

/// sum / total, 0 where both are.
at::Tensor share(const at::Tensor& sum, const at::Tensor& total) {
  return sum / total.masked_fill(total == 0, 1);
}

at::Tensor norms(const at::Tensor& x) {
  return at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
}

/// `size` [B, N, 1], `x` [B, N, D].
at::Tensor form_rows(const BatchGroups& groups, const Sums& sums, const at::Tensor& x,
                     const at::Tensor& size) {
  switch (groups.row_rule) {
    case RowRule::size_weighted_mean:
      return share(sums(x * size), sums(size));
    case RowRule::mean:
      return share(sums(x), sums(at::ones_like(size)));
    case RowRule::weighted_sum:
      return sums(x * groups.weights.unsqueeze(-1));
    case RowRule::largest_norm: {
      const auto members = sums(at::ones_like(size));
      const auto mean = share(sums(x), members);
      const auto lengths = norms(mean).clamp_min(std::numeric_limits<float>::min());
      return at::where(members > 1, mean * (sums.largest(norms(x)) / lengths), mean);
    }
  }
  TORCH_CHECK(false, "token reducer: unknown rule ", static_cast<int>(groups.row_rule));
}

}  // namespace

void apply_groups(const TokenReducer& reducer, const BatchGroups& groups, TokenState& state) {
  check_shapes(groups, state);
  const bool complete =
      groups.keep.device().is_cpu() && check_samples(reducer, groups, state);
  const Partition partition{groups.keep, groups.removed, groups.into};
  const bool fused = complete && groups.row_rule == RowRule::size_weighted_mean &&
                     groups.size_rule == SizeRule::sum &&
                     weighted_merge_fits(state.tokens, partition, state.size);
  const auto size_before = state.size;
  std::optional<Sums> sums;
  if (!fused || state.source.defined() || state.positions.defined()) sums.emplace(groups);
  // Sums run in float32 at least: bfloat16 cannot even count to 257.
  const auto wide = at::promote_types(state.tokens.scalar_type(), at::kFloat);
  const auto weight =
      !sums ? at::Tensor()
      : size_before.defined()
          ? size_before.to(at::kFloat).unsqueeze(-1)
          : at::ones({state.tokens.size(0), state.tokens.size(1), 1},
                     state.tokens.options().dtype(at::kFloat).requires_grad(false));

  if (fused) {
    std::tie(state.tokens, state.size) = weighted_merge(state.tokens, partition, state.size);
  } else {
    state.tokens = form_rows(groups, *sums, state.tokens.to(wide), weight)
                       .to(state.tokens.scalar_type());
    state.size = groups.size_rule == SizeRule::given ? groups.sizes.to(at::kFloat)
                                                     : (*sums)(weight).squeeze(-1);
  }
  if (state.source.defined()) state.source = (*sums)(state.source).clamp_max(1);
  if (state.positions.defined())
    state.positions = share((*sums)(state.positions * weight), (*sums)(weight));
  state.counts = groups.counts;
  if (std::all_of(state.counts.begin(), state.counts.end(),
                  [&](int64_t count) { return count == state.tokens.size(1); }))
    state.counts.clear();
}

}  // namespace vit::merging
