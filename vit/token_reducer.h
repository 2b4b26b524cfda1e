#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace vit {

/// The tokens of one forward pass on their way through the blocks. It belongs to that pass alone,
/// so any number of passes may run on one model at once.
struct TokenState {
  at::Tensor tokens;  ///< [B, N, D]
  at::Tensor size;    ///< [B, N] float32: patches each token stands for; undefined while all are 1
  at::Tensor source;  ///< [B, N, N0]: 1 where an input token went into a token; undefined if
                      ///< it is not tracked
  int64_t prefix_tokens = 0;  ///< class, distillation and register tokens, always the first ones
  int64_t layer = 0;          ///< index of the block that runs
  int64_t depth = 0;          ///< number of blocks
};

/// What a reducer that forms groups is asked about one sample. float32 and int64, row-major.
struct GroupRequest {
  const float* metric;  ///< [tokens, dim] see TokenReducer::reduce
  int64_t tokens;
  int64_t dim;
  int64_t prefix_tokens;
  int64_t layer;
  int64_t depth;
};

/// And its answer: keep and removed together name every input position once.
struct TokenGroups {
  int64_t* keep;     ///< [rows] input position that each output row stands at
  int64_t* removed;  ///< [tokens - rows] input positions without a row of their own
  int64_t* into;     ///< [tokens - rows] output row that each removed token goes into
};

/// What a model calls between attention and MLP of every block to make its tokens fewer.
///
/// Implementations are immutable: everything that changes lives in TokenState. They may reorder
/// the patch tokens but keep the prefix tokens first and in order, and they update `size` and,
/// where it is defined, `source` along with `tokens`.
class TokenReducer {
 public:
  virtual ~TokenReducer() = default;

  /// Tokens that leave a block that `tokens` enter. Known beforehand, so that FLOPs can be counted
  /// without running the model.
  virtual int64_t tokens_after(int64_t layer, int64_t depth, int64_t tokens,
                               int64_t prefix_tokens) const = 0;

  /// Reduces `state`. `metric` [B, N, d], perhaps without gradient, is the mean over heads of the
  /// keys as attention used them (after their norm, before rotary positions). Called only where
  /// tokens_after() is below N.
  virtual void reduce(TokenState& state, const at::Tensor& metric) const = 0;

  /// Whether group() says all that reduce() does: each output token is the mean of its group
  /// weighted by size, its size their sum. Fused kernels then merge on their way through memory.
  virtual bool forms_groups() const { return false; }

  /// The groups of one sample, with tokens_after() rows. Called by many threads at once, only where
  /// forms_groups() and tokens_after() is below N.
  virtual void group(const GroupRequest&, const TokenGroups&) const {}

  /// Whether attention adds log(size) to its logits (proportional attention, arXiv 2210.09461).
  virtual bool proportional_attention() const = 0;
};

}  // namespace vit
