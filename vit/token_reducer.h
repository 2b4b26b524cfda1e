#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/extent.h>
#include <vit/groups.h>
#include <vit/layer_tokens.h>

namespace vit {

/// The tokens of one forward pass on their way through the blocks. It belongs to that pass alone,
/// so any number of passes may run on one model at once.
struct TokenState {
  at::Tensor tokens;  ///< [B, N, D]
  at::Tensor size;    ///< [B, N] float32: patches each token stands for; undefined while all are 1
  at::Tensor source;  ///< [B, N, N0]: 1 where an input token went into a token; undefined if
                      ///< it is not tracked
  at::Tensor positions;  ///< [B, N, axes] float32: where in the grid of patches each token is, in
                         ///< units of patches, 0 for prefix tokens; undefined if not tracked
  std::vector<int64_t> counts;  ///< tokens of each sample, the first of its N; empty: N. The others
                                ///< are padding of size 0
  Extent grid;                  ///< patches along each axis, before any merging; 1x0x0 where
                                ///< those of the samples differ
  int64_t prefix_tokens = 0;    ///< class, distillation and register tokens, always the first ones
  bool class_token = false;     ///< whether the first of them is a class token
  int64_t layer = 0;            ///< index of the block that runs
  int64_t depth = 0;            ///< number of blocks

  LayerTokens layer_tokens() const { return {layer, depth, tokens.size(1), prefix_tokens}; }
};

/// Where a row stands that was formed of several tokens, for models with rotary positions.
enum class PositionRule {
  mean,            ///< at the mean of its patches; angles are those of that place
  keep,            ///< where the token was that it stands at
  mean_of_angles,  ///< sine and cosine of the angles of its patches are averaged
};

/// What a model asks between attention and MLP of every block to make its tokens fewer.
///
/// A reducer answers one question, group(): which tokens of a sample go into which row. The model
/// forms the rows, their sizes, sources and positions from it, with separate operators or in the
/// fused kernels. Counts may differ between the samples of a batch: what becomes of a sample is
/// what becomes of it alone.
///
///     // Drops the patch tokens that the class token looks at least, down to 64.
///     class Keep64 : public vit::TokenReducer {
///      public:
///       std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override {
///         if (at.tokens <= at.prefix_tokens + 64) return std::nullopt;
///         return vit::ReducerNeeds{.class_attention = true};
///       }
///       std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
///         return std::min(at.tokens, at.prefix_tokens + 64);
///       }
///       void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
///         std::vector<int64_t> order(request.at.tokens);
///         std::iota(order.begin(), order.end(), 0);
///         std::sort(order.begin() + request.at.prefix_tokens, order.end(), [&](auto i, auto j) {
///           return request.class_attention[i] > request.class_attention[j];
///         });
///         groups.rows = *tokens_after(request.at);
///         groups.count = request.at.tokens - groups.rows;
///         std::copy_n(order.begin(), groups.rows, groups.keep);
///         std::copy(order.begin() + groups.rows, order.end(), groups.removed);
///         std::fill_n(groups.into, groups.count, -1);
///       }
///       bool proportional_attention() const override { return false; }
///       bool proportional_pooling() const override { return false; }
///       bool per_sample() const override { return true; }
///     };
///     model->set_reducer(std::make_shared<Keep64>());
///
/// Implementations are immutable, and many threads ask them at once.
class TokenReducer {
 public:
  virtual ~TokenReducer() = default;

  /// What group() needs in this layer; nullopt where no sample with that many tokens or fewer would
  /// change, so that it need not be asked. Class attention is an Error in models without a class
  /// token.
  virtual std::optional<ReducerNeeds> needs(const LayerTokens& at) const = 0;

  /// Tokens that leave the block, where that is known without running the model; nullopt where it
  /// depends on what the tokens hold. group() is held to it.
  virtual std::optional<int64_t> tokens_after(const LayerTokens& at) const = 0;

  /// Decides on one sample and fills `groups`: its arrays, rows, count and rules. An answer that
  /// does not hold together is an Error before anything is read or written by it.
  virtual void group(const GroupRequest& request, Groups& groups) const = 0;

  /// Whether attention adds log(size) to its logits (proportional attention, arXiv 2210.09461).
  virtual bool proportional_attention() const = 0;

  /// Whether pooling by average weighs tokens by their size.
  virtual bool proportional_pooling() const = 0;

  /// What becomes of positions. Measured in docs/rotary.md.
  virtual PositionRule position_rule() const { return PositionRule::mean; }

  /// Whether the groups of a sample depend on that sample alone. Those that depend on the whole
  /// batch say so here and decide in group_batch(): the fused kernels, in which each sample runs
  /// for itself, leave them to the separate operators, and group() is not asked.
  virtual bool per_sample() const = 0;

  /// The groups of all samples, as the separate operators ask for them: on any device, perhaps with
  /// gradients. This one asks group() for each sample, on copies in the memory of the CPU.
  virtual BatchGroups group_batch(const BatchRequest& request) const;
};

}  // namespace vit
