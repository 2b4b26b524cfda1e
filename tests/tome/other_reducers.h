#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <tome/kernels.h>
#include <vit/token_reducer.h>

// Reducers of the literature written against vit::TokenReducer, as somebody else would: proof that
// what they need fits.

namespace test {

/// What a model makes of the sizes; the rest is each reducer's own.
class OtherReducer : public vit::TokenReducer {
 public:
  struct SizeUse {
    bool attention;
    bool pooling;
  };
  explicit OtherReducer(SizeUse use) : use_(use) {}
  bool proportional_attention() const override { return use_.attention; }
  bool proportional_pooling() const override { return use_.pooling; }
  bool per_sample() const override { return true; }

 protected:
  static int64_t patches(const vit::LayerTokens& at) { return at.tokens - at.prefix_tokens; }

  static double cosine(const vit::FloatRows& rows, int64_t i, int64_t j) {
    const float *a = rows.row(i), *b = rows.row(j);
    const auto dot = [&](const float* x, const float* y) {
      return std::inner_product(x, x + rows.dim, y, 0.0);
    };
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
  }

  /// The candidate most similar to a token.
  static int64_t nearest(const vit::FloatRows& rows, int64_t token,
                         const std::vector<int64_t>& candidates) {
    return *std::max_element(candidates.begin(), candidates.end(), [&](int64_t i, int64_t j) {
      return cosine(rows, token, i) < cosine(rows, token, j);
    });
  }

  /// The prefix, then the patch tokens by descending score of each position.
  static std::vector<int64_t> ranked(const vit::LayerTokens& at, const float* scores) {
    std::vector<int64_t> order(at.tokens);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin() + at.prefix_tokens, order.end(),
              [&](int64_t i, int64_t j) { return scores[i] > scores[j]; });
    return order;
  }

  /// The first `rows` of `order` stay; the others' rows are what `into` says of each.
  template <typename F>
  static void split(const std::vector<int64_t>& order, int64_t rows, vit::Groups& groups,
                    const F& into) {
    std::vector<int64_t> rest(order.begin() + rows, order.end());
    std::sort(rest.begin(), rest.end());
    groups.rows = rows;
    groups.count = static_cast<int64_t>(rest.size());
    std::copy_n(order.begin(), rows, groups.keep);
    std::copy(rest.begin(), rest.end(), groups.removed);
    std::transform(rest.begin(), rest.end(), groups.into, into);
  }

 private:
  SizeUse use_;
};

/// Pruning by the class token's attention, and EViT, which fuses what it prunes (arXiv 2202.07800).
class Evit : public OtherReducer {
 public:
  Evit(SizeUse use, std::vector<double> rates, bool fuse)
      : OtherReducer(use), rates_(std::move(rates)), fuse_(fuse) {}
  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override {
    if (kept(at) == patches(at)) return std::nullopt;
    return vit::ReducerNeeds{.class_attention = true, .tokens = false};
  }
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return kept(at) == patches(at) ? at.tokens : at.prefix_tokens + kept(at) + (fuse_ ? 1 : 0);
  }
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    const int64_t rows = request.at.prefix_tokens + kept(request.at);
    split(ranked(request.at, request.class_attention), rows, groups,
          [&](int64_t) { return fuse_ ? rows : -1; });
    if (!fuse_) return;
    groups.keep[groups.rows++] = -1;
    groups.row_rule = vit::RowRule::weighted_sum;
    std::fill_n(groups.weights, request.at.tokens, 1.0f);
    for (int64_t i = 0; i < groups.count; ++i)
      groups.weights[groups.removed[i]] = request.class_attention[groups.removed[i]];
  }

 private:
  int64_t kept(const vit::LayerTokens& at) const {
    return static_cast<int64_t>(std::ceil(rates_[at.layer] * static_cast<double>(patches(at))));
  }
  std::vector<double> rates_;
  bool fuse_;
};

/// ToFu (arXiv 2312.01026): what merges is dropped, averaged, or averaged with the norm kept.
class Tofu : public OtherReducer {
 public:
  Tofu(SizeUse use, double ratio, std::vector<std::string> strategies)
      : OtherReducer(use), ratio_(ratio), strategies_(std::move(strategies)) {}
  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override {
    if (merged(at) == 0) return std::nullopt;
    return vit::ReducerNeeds{.key_metric = true, .tokens = strategies_[at.layer] == "mlerp_code"};
  }
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return at.tokens - merged(at);
  }
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    const std::string& strategy = strategies_[request.at.layer];
    groups.count = merged(request.at);
    groups.rows = request.at.tokens - groups.count;
    tome::cpu::match(request.metric.data, request.at.tokens, request.metric.stride, groups.count,
                     request.at.prefix_tokens, groups.keep, groups.removed, groups.into);
    if (strategy == "prune") std::fill_n(groups.into, groups.count, -1);
    groups.row_rule = strategy == "mlerp"        ? vit::RowRule::largest_norm
                      : strategy == "mlerp_code" ? vit::RowRule::weighted_sum
                                                 : vit::RowRule::mean;
    if (strategy == "mlerp_code") weigh(request, groups);
  }

 private:
  int64_t merged(const vit::LayerTokens& at) const {
    const auto tokens = static_cast<double>(at.tokens);
    return std::min(static_cast<int64_t>(std::floor(tokens - tokens * ratio_)), patches(at) / 2);
  }

  /// The mean, times the largest norm over that of the token which was there.
  static void weigh(const vit::GroupRequest& request, vit::Groups& groups) {
    const auto norm = [&](int64_t token) {
      const float* x = request.tokens.row(token);
      return std::sqrt(std::inner_product(x, x + request.tokens.dim, x, 0.0));
    };
    for (int64_t row = 0; row < groups.rows; ++row) {
      std::vector<int64_t> members{groups.keep[row]};
      for (int64_t i = 0; i < groups.count; ++i)
        if (groups.into[i] == row) members.push_back(groups.removed[i]);
      double largest = 0;
      for (const int64_t token : members) largest = std::max(largest, norm(token));
      const double share = largest / norm(members.front()) / static_cast<double>(members.size());
      for (const int64_t token : members) groups.weights[token] = static_cast<float>(share);
    }
  }

  double ratio_;
  std::vector<std::string> strategies_;
};

/// DiffRate (arXiv 2305.17997): prunes, then merges by the similarity of the tokens themselves.
class DiffRate : public OtherReducer {
 public:
  DiffRate(SizeUse use, std::vector<int64_t> prune, std::vector<int64_t> merge)
      : OtherReducer(use), prune_(std::move(prune)), merge_(std::move(merge)) {}
  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens&) const override {
    return vit::ReducerNeeds{.class_attention = true, .tokens = true};  // it sorts in any case
  }
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return std::min(at.tokens, merge_[at.layer]);
  }
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    const vit::LayerTokens& at = request.at;
    const auto order = ranked(at, request.class_attention);
    const int64_t pruned = std::min(at.tokens, prune_[at.layer]), rows = *tokens_after(at);
    const std::vector<int64_t> targets(order.begin() + at.prefix_tokens, order.begin() + rows);
    groups.row_rule = vit::RowRule::mean;
    groups.size_rule = vit::SizeRule::given;
    for (int64_t row = 0; row < rows; ++row) groups.sizes[row] = request.sizes[order[row]];
    split(order, rows, groups, [&](int64_t token) -> int64_t {
      if (std::find(order.begin() + rows, order.begin() + pruned, token) == order.begin() + pruned)
        return -1;
      const int64_t target = nearest(request.tokens, token, targets);
      const int64_t row = std::find(order.begin(), order.end(), target) - order.begin();
      groups.sizes[row] +=
          static_cast<float>(cosine(request.tokens, token, target)) * request.sizes[token];
      return row;
    });
  }

 private:
  std::vector<int64_t> prune_, merge_;
};

/// The two random baselines, with the random numbers of each layer [B, patches].
class RandomReducer : public OtherReducer {
 public:
  using Scores = std::map<int64_t, at::Tensor>;
  /// `removed` tokens leave each layer: merged into the most similar of the others, or dropped.
  RandomReducer(SizeUse use, std::vector<int64_t> removed, bool merge, Scores scores)
      : OtherReducer(use),
        removed_(std::move(removed)),
        merge_(merge),
        scores_(std::move(scores)) {}
  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens&) const override {
    return vit::ReducerNeeds{.key_metric = merge_};
  }
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return at.tokens - removed_[at.layer];
  }
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    const vit::LayerTokens& at = request.at;
    const auto scores = scores_.at(at.layer)[request.sample].contiguous();
    std::vector<float> stays(at.tokens, std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < patches(at); ++i)
      stays[at.prefix_tokens + i] = (merge_ ? -1.0f : 1.0f) * scores.const_data_ptr<float>()[i];
    auto order = ranked(at, stays.data());
    const int64_t rows = *tokens_after(at);
    std::sort(order.begin(), order.begin() + rows);
    const std::vector<int64_t> others(order.begin() + at.prefix_tokens, order.begin() + rows);
    split(order, rows, groups, [&](int64_t token) -> int64_t {
      if (!merge_) return -1;
      const int64_t target = nearest(request.metric, token, others);
      return std::find(order.begin(), order.begin() + rows, target) - order.begin();
    });
  }

 private:
  std::vector<int64_t> removed_;
  bool merge_;
  Scores scores_;
};

}  // namespace test
