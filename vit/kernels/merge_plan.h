#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/kernels/arena.h>
#include <vit/token_reducer.h>

namespace vit::kernels {

/// Which tokens of each sample become which in the layer that runs, and how many patches every
/// token stands for so far. match() and merge_row() of different samples may run at once.
class MergePlan {
 public:
  /// For `samples` samples of at most `tokens` tokens, which all stand for one patch.
  MergePlan(Arena& arena, int64_t samples, int64_t tokens, bool track_source);

  /// Whether any token stands for more than one patch.
  bool merged() const { return merged_; }

  /// log2 of the sizes [tokens] that enter the layer, readable up to a multiple of simd::kPad.
  const float* log_sizes(int64_t sample) const { return log_sizes_ + sample * stride_; }

  /// Asks `reducer` which of a sample's tokens merge into `rows` rows.
  void match(const TokenReducer& reducer, const GroupRequest& request, int64_t sample,
             int64_t rows);

  /// Row `row` of what `x` [tokens, columns] of a sample merges into.
  void merge_row(int64_t sample, int64_t row, const float* x, int64_t columns, float* out) const;

  /// Ends the layer: its rows are the next one's tokens.
  void advance();

  /// Writes the sizes [B, N], and the sources [B, N, N0] where they are tracked, of samples from
  /// `first` on.
  void write(const at::Tensor& size, const at::Tensor& source, int64_t first) const;

 private:
  void merge_source(int64_t sample, int64_t rows);

  int64_t samples_;
  int64_t tokens_;  // N0
  int64_t stride_;  // of everything with a row for each token
  bool merged_ = false;
  // Each [samples, stride]: what the layer reads, and what it leaves to the next one.
  float* sizes_;
  float* next_sizes_;
  float* log_sizes_;
  float* next_log_sizes_;
  // Row i of a sample is the sum over j from begins[i] to begins[i + 1] of weights[j] times token
  // positions[j].
  int64_t* begins_;
  int64_t* positions_;
  float* weights_;
  // The reducer's answer, and where the next token of each row goes.
  int64_t* keep_;
  int64_t* removed_;
  int64_t* into_;
  int64_t* next_;
  float* source_ = nullptr;       // [samples, stride, N0]
  float* next_source_ = nullptr;  // likewise
};

}  // namespace vit::kernels
