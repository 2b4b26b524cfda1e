#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <vit/layer_tokens.h>

// What a TokenReducer is asked and what it answers.

namespace vit {

/// What a reducer wants to see of a block before it decides.
struct ReducerNeeds {
  bool key_metric = false;  ///< mean of the keys over the heads, before rotary positions
  bool rotated = false;     ///< the same behind them
  /// Attention from the class token, after softmax, mean over the heads.
  bool class_attention = false;
  bool tokens = false;  ///< the tokens themselves, after the attention branch was added
};

/// How a row that leaves the block is formed from the tokens x_i of its group.
enum class RowRule {
  size_weighted_mean,  ///< sum of s_i x_i over sum of s_i
  mean,                ///< sum of x_i over their number
  weighted_sum,        ///< sum of w_i x_i with weights from the answer, which need not sum to 1
  largest_norm,        ///< the mean, scaled to the largest L2 norm of the group; one alone stays
};

/// How a row gets its size.
enum class SizeRule {
  sum,    ///< of the sizes of its group
  given,  ///< the answer has them
};

/// Rows of numbers in memory; those between `dim` and `stride` are 0.
struct FloatRows {
  const float* data = nullptr;
  int64_t dim = 0;     ///< numbers in a row
  int64_t stride = 0;  ///< from one row to the next
  const float* row(int64_t index) const { return data + index * stride; }
};

/// One sample in one block, with N = at.tokens tokens. What was not asked for is null.
struct GroupRequest {
  LayerTokens at;
  int64_t sample = 0;                      ///< its index in the batch
  FloatRows metric;                        ///< [N, d] the keys as attention used them (after their
                                           ///< norm), mean over heads; see ReducerNeeds
  const float* class_attention = nullptr;  ///< [N] with the size term, where attention has one
  FloatRows tokens;                        ///< [N, D]
  const float* sizes = nullptr;            ///< [N] always there
};

/// Which of a sample's tokens become which rows: the answer to a GroupRequest.
///
/// keep and removed together name every input position once. The arrays are the caller's and have
/// room for N numbers each. Prefix tokens stay where they are (keep[i] = i) and nothing goes into
/// them. A row is never empty: one that is new has removed tokens that go into it.
struct Groups {
  int64_t* keep;     ///< [rows] input position that each row stands at; -1 for a new row
  int64_t* removed;  ///< [count] input positions without a row of their own
  int64_t* into;     ///< [count] row that each of them goes into; -1 if it is dropped
  float* weights;    ///< [N] of each token, for RowRule::weighted_sum only
  float* sizes;      ///< [rows] above 0, for SizeRule::given only

  int64_t rows = -1;   ///< to be set: tokens that leave the block, at least 1 and at most N
  int64_t count = -1;  ///< to be set: N less the rows that stand at a token
  RowRule row_rule = RowRule::size_weighted_mean;  ///< one for all samples of a batch
  SizeRule size_rule = SizeRule::sum;              ///< likewise
};

/// The same for a batch, as tensors on the model's device.
struct BatchRequest {
  LayerTokens at;                 ///< with the tokens of the longest sample
  int64_t batch = 0;              ///< samples
  c10::Device device = at::kCPU;  ///< of the tensors, and of those of the answer
  std::vector<int64_t> counts;    ///< tokens of each sample, the first ones; empty: at.tokens
  at::Tensor metric;              ///< [B, N, d]
  at::Tensor class_attention;     ///< [B, N] float32
  at::Tensor tokens;              ///< [B, N, D]
  at::Tensor sizes;               ///< [B, N] float32; undefined while all are 1
};

/// And its answer: the arrays of Groups with a row for each sample. Samples with fewer rows or
/// fewer removed tokens than others have -1 in what is left (0 in sizes).
struct BatchGroups {
  at::Tensor keep;          ///< [B, rows] int64
  at::Tensor removed;       ///< [B, count] int64
  at::Tensor into;          ///< [B, count] int64
  at::Tensor weights = {};  ///< [B, N], for RowRule::weighted_sum only; may have a gradient
  at::Tensor sizes = {};    ///< [B, rows], for SizeRule::given only; may have a gradient
  std::vector<int64_t> counts = {};  ///< rows of each sample; empty: all
  RowRule row_rule = RowRule::size_weighted_mean;
  SizeRule size_rule = SizeRule::sum;
  bool complete = false;  ///< promises that there is no -1, neither for new, dropped nor missing
                          ///< ones: less to do on devices other than the CPU
};

}  // namespace vit
