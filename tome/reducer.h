#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <tome/tome.h>
#include <vit/token_reducer.h>

namespace tome {

/// Merges tokens in every block by bipartite soft matching of the attention keys.
class Reducer : public vit::TokenReducer {
 public:
  explicit Reducer(Options options) : options_(std::move(options)) {}

  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override;
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override;
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override;
  bool proportional_attention() const override { return options_.prop_attn; }
  bool proportional_pooling() const override { return true; }
  vit::PositionRule position_rule() const override;
  bool per_sample() const override { return true; }
  /// Samples without padding on any device.
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override;

  const Options& options() const { return options_; }

 private:
  Options options_;
};

/// The reducer that options ask for; null for a schedule that merges nothing.
std::shared_ptr<const vit::TokenReducer> make_reducer(const Options& options);

}  // namespace tome
