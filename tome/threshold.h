#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <vit/token_reducer.h>

namespace tome {

struct ThresholdOptions {
  /// Cosine similarities of the first layers, the last one for all that follow.
  std::vector<double> tau{0.8};
  /// All samples of a batch merge as many tokens as they would on average, rounded down: no
  /// padding, but what becomes of a sample depends on the others.
  bool shared = false;
  bool prop_attn = true;
};

/// Token merging without a fixed number: every pair of bipartite soft matching that is more similar
/// than tau merges, weighted by size. How many tokens leave a layer is known when it has run, and
/// differs between the samples of a batch.
class ThresholdReducer : public vit::TokenReducer {
 public:
  /// Throws vit::Error for a tau that is not from -1 to 1.
  explicit ThresholdReducer(ThresholdOptions options);

  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override;
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override;
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override;
  bool proportional_attention() const override { return options_.prop_attn; }
  bool proportional_pooling() const override { return true; }
  bool per_sample() const override { return !options_.shared; }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override;

  const ThresholdOptions& options() const { return options_; }

 private:
  ThresholdOptions options_;
};

}  // namespace tome
