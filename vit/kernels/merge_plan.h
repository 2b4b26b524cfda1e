#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/token_members.h>
#include <vit/kernels/workspace.h>
#include <vit/token_reducer.h>

namespace vit::kernels {

/// What MergePlan carries along with the tokens, and where it is written in the end.
struct MergeTensors {
  at::Tensor size;                        ///< [B, N]
  at::Tensor source;                      ///< [B, N, N0] or undefined
  at::Tensor positions;                   ///< [B, N, axes] or undefined
  at::Tensor input_positions;             ///< [B, N0, axes] likewise
  int64_t* counts = nullptr;              ///< [B] tokens left of each sample; may be null
  const int64_t* input_counts = nullptr;  ///< [B] with how many each begins; null: with all N0

  /// Tokens of `tokens` that a sample begins with.
  int64_t tokens_of(int64_t sample, int64_t tokens) const {
    return input_counts ? input_counts[sample] : tokens;
  }
};

/// Which tokens of each sample become which in the layer that runs, and how many patches every
/// token stands for so far. match() and merge_row() of different samples may run at once.
class MergePlan {
 public:
  /// What is to be known of the tokens beside their sizes.
  struct Tracking {
    bool members = false;  ///< of which of the first layer's tokens each consists
    PositionRule positions = PositionRule::mean;
  };

  /// For `samples` samples of `tokens` tokens or fewer, which all stand for one patch; `first` is
  /// the first one's index in `tensors`.
  MergePlan(Workspace& workspace, int64_t samples, int64_t tokens, const MergeTensors& tensors,
            int64_t first, Tracking tracking);

  /// Whether any token stands for more than one patch.
  bool merged() const { return merged_; }

  /// Tokens of a sample that enter the layer, and after match(), that leave it.
  int64_t tokens(int64_t sample) const { return counts_[sample]; }
  int64_t tokens_after(int64_t sample) const { return next_counts_[sample]; }

  /// log2 of the sizes [tokens] that enter the layer, readable up to a multiple of simd::kPad.
  const float* log_sizes(int64_t sample) const { return log_sizes_ + sample * stride_; }

  /// Of the tokens that enter the layer, and after match(), that leave it: [tokens, axes], null
  /// unless `tensors` has positions, and those that they consist of, if these are tracked.
  const float* places(int64_t sample) const { return coordinates_ + sample * stride_ * axes_; }
  const float* next_places(int64_t sample) const {
    return next_coordinates_ + sample * stride_ * axes_;
  }
  MemberLists members(int64_t sample) const { return members_->of(sample); }
  MemberLists next_members(int64_t sample) const { return members_->next(sample); }

  /// Memory for a sample's class attention [tokens].
  float* class_attention(int64_t sample) { return class_attention_ + sample * stride_; }

  /// Asks `reducer` which of a sample's tokens go into which row; the sizes of `request` are filled
  /// in here. Throws Error for an answer that does not hold together.
  void match(const TokenReducer& reducer, GroupRequest request, int64_t sample);

  /// Row `row` of what `x` [tokens, columns] of a sample merges into.
  void merge_row(int64_t sample, int64_t row, const float* x, int64_t columns, float* out) const;

  /// Ends the layer: its rows are the next one's tokens.
  void advance();

  /// Writes what leaves the last layer; rows that a sample has not become 0.
  void write() const;

 private:
  /// Rows of a sample: begins[row] up to begins[row + 1] of positions and weights.
  void list_members(const Groups& groups, int64_t sample);
  void weigh(const Groups& groups, int64_t sample);
  void merge_source(int64_t sample, int64_t rows);
  void merge_coordinates(const Groups& groups, int64_t sample);

  const MergeTensors& tensors_;
  int64_t first_;
  int64_t samples_;
  int64_t tokens_;  // N0
  int64_t stride_;  // of everything with a row for each token
  int64_t axes_ = 0;
  const PositionRule position_rule_;
  bool merged_ = false;
  std::vector<int64_t> counts_, next_counts_;  // [samples]
  std::vector<RowRule> rules_;                 // [samples]
  std::optional<TokenMembers> members_;
  // Each [samples, stride]: what the layer reads, and what it leaves to the next one.
  float* sizes_;
  float* next_sizes_;
  float* log_sizes_;
  float* next_log_sizes_;
  float* class_attention_;
  // The merge of a sample as a sparse matrix in CSR form: row i is the sum over j from begins[i] to
  // begins[i + 1] of weights[j] times token positions[j].
  int64_t* begins_;
  int64_t* positions_;
  float* weights_;
  // The reducer's answer, and where the next token of each row goes.
  int64_t* keep_;
  int64_t* removed_;
  int64_t* into_;
  float* given_weights_;
  int64_t* next_;
  float* source_ = nullptr;            // [samples, stride, N0]
  float* next_source_ = nullptr;       // likewise
  float* coordinates_ = nullptr;       // [samples, stride, axes]
  float* next_coordinates_ = nullptr;  // likewise
};

}  // namespace vit::kernels
