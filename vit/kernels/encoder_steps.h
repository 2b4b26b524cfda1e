#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <vit/kernels/encoder.h>
#include <vit/kernels/encoder_pass.h>
#include <vit/kernels/encoder_worker.h>
#include <vit/kernels/merge_plan.h>
#include <vit/kernels/range.h>
#include <vit/kernels/rotary_tables.h>
#include <vit/kernels/row_layers.h>
#include <vit/kernels/workspace.h>

namespace vit::kernels {

/// Some samples of a batch on their way through the layers: what they become, and the steps of a
/// layer for some rows, heads or columns, which threads may run at once where they differ. Rows
/// are those of all samples, one after another, without padding between them. `T` is what attention
/// multiplies and what activations are kept in: float or simd::Bf16.
template <typename T>
class EncoderSteps {
 public:
  EncoderSteps(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors,
               Range samples, Workspace& workspace);

  const RowLayers<T>& layers() const { return layers_; }
  int64_t head_columns() const { return head_columns_; }
  int64_t samples() const { return samples_.size(); }
  int64_t rows_before(int64_t index) const { return rows_[index]; }
  /// After count_rows().
  int64_t rows_after(int64_t index) const { return rows_[index + 1]; }
  bool merges(int64_t index) const { return plan_.needs[index].has_value(); }

  /// [rows_before, columns]: the tokens that enter the layer.
  float* x() { return x_; }
  /// [rows_after, columns]: those that leave it.
  float* x_after(int64_t index) { return merges(index) ? merged_x_ : x_; }
  /// [rows_before, columns]: what attend_and_match() gave.
  T* attended() { return attended_; }

  /// The batch -> x.
  void read_input(Range rows);

  /// Rows whose angles are to be computed before project_heads() of a layer; the rows that leave
  /// the layer before it are counted.
  int64_t rotary_rows(int64_t index);
  void prepare_rotary(int64_t index, Range rows);

  /// The norm of rows of x, the tokens that enter the layer, and their metric where that is a
  /// projection.
  Operand prepare_qkv(int64_t index, const float* x, int64_t first, int64_t rows,
                      Worker<T>& worker);

  /// Groups of columns of the layer's qkv: the heads of q, k and v.
  int64_t qkv_groups(int64_t index) const { return heads_ + 2 * encoder_.layer(index).kv_heads; }
  /// Rows from `first` on, which `operand` holds, -> some groups of their columns. Without
  /// layer.metric all groups are one thread's, which sums the keys.
  void project_heads(int64_t index, const Operand& operand, int64_t first, int64_t rows,
                     Range groups, Worker<T>& worker);

  /// Samples to match, if the layer merges and not late, and heads of samples.
  int64_t attention_units(int64_t index) const {
    return samples_.size() * (heads_ + (matches_early(index) ? 1 : 0));
  }
  void attend_and_match(int64_t index, Range units, Worker<T>& worker);

  /// Whether the reducer wants to see the tokens after attention: match() is a step of its own.
  bool matches_late(int64_t index) const { return merges(index) && plan_.needs[index]->tokens; }
  void match(int64_t index, Range samples, Worker<T>& worker);
  /// When all samples are matched, on one thread.
  void count_rows(int64_t index);

  /// Rows of x_after(), each merged from some of x, in a layer that merges.
  void merge(Range rows);

  /// What leaves the layer is what enters the next one.
  void end_of_layer(int64_t index);

  /// Rows that leave the last layer -> the batch.
  void write_output(const float* x, Range rows) const;
  void write_sizes() const;

 private:
  bool matches_early(int64_t index) const { return merges(index) && !matches_late(index); }
  bool needs_metric(int64_t index) const { return merges(index) && plan_.needs[index]->key_metric; }
  bool needs_rotated(int64_t index) const {
    return needs_metric(index) && plan_.needs[index]->rotated && rotary_;
  }
  /// Whether the metric is a sum over the keys that project_heads() makes.
  bool sums_keys(int64_t index) const {
    return needs_metric(index) && (needs_rotated(index) || !encoder_.layer(index).metric);
  }
  /// Rows of a group of the layer's qkv.
  T* group_rows(int64_t group, int64_t index) {
    return heads_data_ + group * rows_[index] * head_columns_;
  }
  /// One head of a sample; `pairs` is room for what it refers to.
  Head<T> head_of(int64_t index, int64_t sample, int64_t head, const HeadScratch<T>& scratch,
                  PairBias& pairs);
  /// One head's columns of the packed projection, in worker.tile.
  simd::Tile project_head(const EncoderLayer& layer, int64_t group, const Operand& operand,
                          int64_t row, int64_t count, Worker<T>& worker);
  /// Rows of a head of queries or keys as they are before they are rotated: the tile with its bias
  /// and norm, in worker.tile or worker.other_tile.
  simd::Tile exact_head(const EncoderLayer& layer, bool is_query, const simd::Tile& tile,
                        const float* bias, Worker<T>& worker);
  /// Rotates rows of the layer from `row` on.
  template <typename Out>
  void rotate(const simd::Tile& tile, int64_t row, int64_t head, Out* out);
  /// The metric is the mean of the keys over the heads, before they are rounded.
  void add_to_metric(const simd::Tile& tile, int64_t head, int64_t kv_heads, int64_t row);
  void attend_head(int64_t index, int64_t sample, int64_t head, Worker<T>& worker);

  const Encoder& encoder_;
  const KernelBlock block_;
  const TokenPlan& plan_;
  const BatchTensors& tensors_;
  const Range samples_;
  const RowLayers<T> layers_;
  const int64_t dim_, columns_, heads_, head_columns_;
  float* x_ = nullptr;         // [rows, columns] tokens
  float* merged_x_ = nullptr;  // where merging puts them
  float* metric_ = nullptr;    // [rows, head_columns]
  T* heads_data_ = nullptr;    // [groups of qkv, rows, head_columns]
  T* attended_ = nullptr;      // [rows, columns]
  std::optional<MergePlan> merges_;
  std::optional<RotaryTables> rotary_;
  std::vector<int64_t> rotary_begins_;  // of each sample's rows in the layer it was computed for
  std::vector<int64_t> rows_;           // that enter each layer, and leave the last one
  std::vector<int64_t> begins_;         // [samples + 1] of each sample's rows in the layer
  std::vector<int64_t> next_begins_;    // likewise, of those that leave it
};

}  // namespace vit::kernels
