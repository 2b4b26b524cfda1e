#include <algorithm>
#include <limits>
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
  TORCH_CHECK(
      groups.size_rule != SizeRule::given || has_shape(groups.sizes, {batch, groups.keep.size(1)}),
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

/// Sums over groups. Unless they are complete, any index may be -1.
class Sums {
 public:
  Sums(const BatchGroups& groups, bool complete)
      : keep_(groups.keep), removed_(groups.removed), into_(groups.into) {
    if (complete) return;
    stands_ = keep_.ge(0).unsqueeze(-1);
    goes_ = removed_.ge(0).logical_and(into_.ge(0)).unsqueeze(-1);
    for (auto* index : {&keep_, &removed_, &into_}) *index = index->clamp_min(0);
  }

  /// x [B, N, C] -> [B, rows, C]
  at::Tensor operator()(const at::Tensor& x) const {
    return rows(x, keep_, stands_).scatter_add(1, spread(into_, x), rows(x, removed_, goes_));
  }

  /// The largest ones, of x of 0 or more.
  at::Tensor largest(const at::Tensor& x) const {
    return rows(x, keep_, stands_)
        .scatter_reduce(1, spread(into_, x), rows(x, removed_, goes_), "amax");
  }

 private:
  static at::Tensor spread(const at::Tensor& index, const at::Tensor& x) {
    return index.unsqueeze(-1).expand({-1, -1, x.size(2)});
  }
  static at::Tensor rows(const at::Tensor& x, const at::Tensor& index, const at::Tensor& mask) {
    const auto picked = x.gather(1, spread(index, x));
    return mask.defined() ? picked.mul(mask) : picked;
  }

  at::Tensor keep_, removed_, into_;
  at::Tensor stands_, goes_;  // undefined where all do
};

/// sum / total, 0 for padding, where both are 0.
at::Tensor quotient(const at::Tensor& sum, const at::Tensor& total) {
  return sum / total.clamp_min(std::numeric_limits<float>::min());
}

at::Tensor norms(const at::Tensor& x) {
  return at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
}

/// `x` [B, N, D]; `size` [B, N, 1], and `total` [B, rows, 1] its sums.
at::Tensor form_rows(const BatchGroups& groups, const Sums& sums, const at::Tensor& x,
                     const at::Tensor& size, const at::Tensor& total) {
  switch (groups.row_rule) {
    case RowRule::size_weighted_mean:
      return quotient(sums(x * size), total);
    case RowRule::mean:
      return quotient(sums(x), sums(at::ones_like(size)));
    case RowRule::weighted_sum:
      return sums(x * groups.weights.unsqueeze(-1));
    case RowRule::largest_norm: {
      const auto members = sums(at::ones_like(size));
      const auto mean = quotient(sums(x), members);
      const auto lengths = norms(mean).clamp_min(std::numeric_limits<float>::min());
      return at::where(members > 1, mean * (sums.largest(norms(x)) / lengths), mean);
    }
  }
  TORCH_CHECK(false, "token reducer: unknown rule ", static_cast<int>(groups.row_rule));
}

/// Where the tokens were that rows stand at, for new rows `mean`, undefined if there are none.
at::Tensor kept_positions(const at::Tensor& positions, const at::Tensor& keep,
                          const at::Tensor& mean) {
  const auto index = keep.unsqueeze(-1).expand({-1, -1, positions.size(2)});
  if (!mean.defined()) return positions.gather(1, index);
  return at::where(index >= 0, positions.gather(1, index.clamp_min(0)), mean);
}

}  // namespace

void apply_groups(const TokenReducer& reducer, const BatchGroups& groups, TokenState& state) {
  check_shapes(groups, state);
  // Indices on another device are taken on trust: looking at them would wait for it.
  const bool complete =
      groups.keep.device().is_cpu() ? check_samples(reducer, groups, state) : groups.complete;
  const bool keeps = reducer.position_rule() == PositionRule::keep;
  const Partition partition{groups.keep, groups.removed, groups.into};
  if (complete && groups.row_rule == RowRule::size_weighted_mean &&
      groups.size_rule == SizeRule::sum &&
      weighted_merge_fits(state.tokens, partition, state.size)) {
    if (state.positions.defined())
      state.positions = keeps ? kept_positions(state.positions, groups.keep, {})
                              : weighted_merge(state.positions, partition, state.size).first;
    std::tie(state.tokens, state.size) = weighted_merge(state.tokens, partition, state.size);
    if (state.source.defined()) state.source = Sums(groups, complete)(state.source).clamp_max(1);
    return;
  }
  const Sums sums(groups, complete);
  // Sums run in float32 at least: bfloat16 cannot even count to 257.
  const auto dtype = state.tokens.scalar_type(), wide = at::promote_types(dtype, at::kFloat);
  const auto size = state.size.defined()
                        ? state.size.to(at::kFloat).unsqueeze(-1)
                        : at::ones({state.tokens.size(0), state.tokens.size(1), 1},
                                   state.tokens.options().dtype(at::kFloat).requires_grad(false));
  const auto total = sums(size);
  state.tokens = form_rows(groups, sums, state.tokens.to(wide), size, total).to(dtype);
  state.size =
      groups.size_rule == SizeRule::given ? groups.sizes.to(at::kFloat) : total.squeeze(-1);
  if (state.source.defined()) state.source = sums(state.source).clamp_max(1);
  if (state.positions.defined()) {
    const auto mean = quotient(sums(state.positions * size), total);
    state.positions = keeps ? kept_positions(state.positions, groups.keep, mean) : mean;
  }
  state.counts = groups.counts;
  if (std::all_of(state.counts.begin(), state.counts.end(),
                  [&](int64_t count) { return count == state.tokens.size(1); }))
    state.counts.clear();
}

}  // namespace vit::merging
