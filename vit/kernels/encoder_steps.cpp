#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>

#include <vit/kernels/encoder_steps.h>
#include <vit/kernels/float_data.h>
#include <vit/kernels/prefetch.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

using simd::Bf16;
using simd::Tile;

template <typename T>
EncoderSteps<T>::EncoderSteps(const Encoder& encoder, const TokenPlan& plan,
                              const BatchTensors& tensors, Share samples, Arena& arena)
    : encoder_(encoder),
      block_(encoder.block()),
      plan_(plan),
      tensors_(tensors),
      samples_(samples),
      layers_(block_, encoder.math(), encoder.layer(0).fc2.inner()),
      dim_(block_.dim),
      columns_(layers_.columns()),
      heads_(block_.num_heads),
      head_columns_(simd::round_up(block_.head_dim())) {
  const int64_t tokens = plan.tokens.front(), rows = samples.size() * tokens;
  x_ = arena.take<float>(rows * columns_);
  if (plan.tokens.back() < tokens) {
    merged_x_ = arena.take<float>(rows * columns_);
    metric_ = arena.take<float>(rows * head_columns_);
    merges_.emplace(arena, samples.size(), tokens, tensors.source.defined());
  }
  heads_data_ = arena.take<T>(3 * heads_ * rows * head_columns_);
  attended_ = arena.take<T>(rows * columns_);
  if (columns_ != dim_) std::fill_n(attended_, rows * columns_, T{});
}

template <typename T>
void EncoderSteps<T>::read_input(Share rows) {
  const int64_t first = samples_.begin * plan_.tokens.front();
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    float* to = x_ + row * columns_;
    if (tensors_.input.scalar_type() == at::kFloat)
      std::copy_n(tensors_.input.const_data_ptr<float>() + (first + row) * dim_, dim_, to);
    else
      simd::to_float(reinterpret_cast<const Bf16*>(tensors_.input.const_data_ptr<at::BFloat16>() +
                                                   (first + row) * dim_),
                     dim_, to);
    std::fill(to + dim_, to + columns_, 0.0f);
  }
}

template <typename T>
void EncoderSteps<T>::write_output(const float* x, Share rows) const {
  const int64_t first = samples_.begin * plan_.tokens.back();
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* from = x + row * columns_;
    if (tensors_.output.scalar_type() == at::kFloat)
      std::copy_n(from, dim_, tensors_.output.mutable_data_ptr<float>() + (first + row) * dim_);
    else
      simd::to_bf16(from, dim_,
                    reinterpret_cast<Bf16*>(tensors_.output.mutable_data_ptr<at::BFloat16>() +
                                            (first + row) * dim_));
  }
}

template <typename T>
Operand EncoderSteps<T>::prepare_qkv(int64_t index, const float* x, int64_t first, int64_t rows,
                                     Worker<T>& worker) {
  const EncoderLayer& layer = encoder_.layer(index);
  const bool with_metric = layer.metric && merges(index);
  const Operand operand = layers_.normalized(x + first * columns_, rows, layer.norm1_weight,
                                             layer.norm1_bias, worker, with_metric);
  if (with_metric)
    layer.metric->project({worker.operand, columns_}, {worker.rest, columns_}, rows, worker.tile,
                          metric_ + first * head_columns_, head_columns_);
  return operand;
}

template <typename T>
void EncoderSteps<T>::project_heads(int64_t index, const Operand& operand, int64_t first,
                                    int64_t rows, Share groups, Worker<T>& worker) {
  const EncoderLayer& layer = encoder_.layer(index);
  const int64_t tokens = plan_.tokens[index];
  const bool sums_keys = !layer.metric && merges(index);
  for (int64_t group = groups.begin; group < groups.end; ++group)
    each_tile(rows, [&](int64_t row, int64_t count) {
      const int64_t which = group / heads_, head = group % heads_;
      T* to = head_rows(which, head, tokens) + (first + row) * head_columns_;
      prefetch_rows(to, head_columns_, count, head_columns_);
      Tile tile = project_head(layer, group, operand, row, count, worker);
      const float* bias = layer.qkv.bias() + group * head_columns_;
      if (layer.q_norm_weight.defined() && which < 2)
        bias = normalize_head(layer, which, tile, bias, worker);
      simd::store(tile, bias, to, head_columns_);
      if (sums_keys && which == 1) add_to_metric(tile, bias, head, first + row, worker);
    });
}

template <typename T>
Tile EncoderSteps<T>::project_head(const EncoderLayer& layer, int64_t group, const Operand& operand,
                                   int64_t row, int64_t count, Worker<T>& worker) {
  const int64_t blocks = layer.qkv.blocks_per_group();
  Tile head;
  for (int64_t i = 0; i < blocks; ++i) {
    const auto& block = layer.qkv.block(group * blocks + i);
    const Tile tile =
        layer.qkv.multiply_block(block, operand, row, count,
                                 worker.tile + block.column - group * head_columns_, head_columns_);
    if (i == 0) head = tile;
  }
  head.cols = head_columns_;
  return head;
}

template <typename T>
const float* EncoderSteps<T>::normalize_head(const EncoderLayer& layer, int64_t which, Tile& tile,
                                             const float* bias, Worker<T>& worker) {
  simd::store(tile, bias, worker.other_tile, tile.ld);
  const float* weight = float_data(which == 0 ? layer.q_norm_weight : layer.k_norm_weight);
  const float* shift = float_data(which == 0 ? layer.q_norm_bias : layer.k_norm_bias);
  for (int64_t i = 0; i < tile.rows; ++i)
    simd::layer_norm(worker.other_tile + i * tile.ld, block_.head_dim(), weight, shift, block_.norm_eps,
                     worker.tile + i * tile.ld);
  tile.scales = {};
  static constexpr float kNoBias[kMaxHeadDim] = {};
  return kNoBias;
}

template <typename T>
void EncoderSteps<T>::add_to_metric(const Tile& tile, const float* bias, int64_t head, int64_t row,
                                    Worker<T>& worker) {
  simd::store(tile, bias, worker.other_tile, tile.ld);
  simd::accumulate({worker.other_tile, tile.ld, tile.rows, tile.cols},
                   1.0f / static_cast<float>(heads_), head == 0, metric_ + row * head_columns_,
                   head_columns_);
}

template <typename T>
void EncoderSteps<T>::attend_and_match(int64_t index, Share units, Worker<T>& worker) {
  const int64_t tokens = plan_.tokens[index], matchings = merges(index) ? samples_.size() : 0;
  for (int64_t unit = units.begin; unit < units.end; ++unit) {
    if (unit >= matchings)
      attend_head(index, unit - matchings, worker);
    else
      merges_->match(*plan_.reducer,
                     {metric_ + unit * tokens * head_columns_, tokens, head_columns_,
                      plan_.prefix_tokens, index, encoder_.depth()},
                     unit, plan_.tokens[index + 1]);
  }
}

template <typename T>
void EncoderSteps<T>::attend_head(int64_t index, int64_t unit, Worker<T>& worker) {
  const int64_t tokens = plan_.tokens[index], sample = unit / heads_, head = unit % heads_;
  const int64_t from = sample * tokens * head_columns_;
  const bool biased = merges_ && merges_->merged() && plan_.reducer->proportional_attention();
  Head<T> work;
  work.q = head_rows(0, head, tokens) + from;
  work.k = head_rows(1, head, tokens) + from;
  work.v = head_rows(2, head, tokens) + from;
  work.tokens = tokens;
  work.columns = head_columns_;
  work.dim = block_.head_dim();
  work.scale = 1.0f / std::sqrt(static_cast<float>(block_.head_dim()));
  work.bias = biased ? merges_->log_sizes(sample) : nullptr;
  attend(work, worker.head, attended_ + sample * tokens * columns_ + head * block_.head_dim(),
         columns_);
}

template <typename T>
void EncoderSteps<T>::merge(int64_t index, Share rows) {
  const int64_t before = plan_.tokens[index], after = plan_.tokens[index + 1];
  for (int64_t i = rows.begin; i < rows.end; ++i)
    merges_->merge_row(i / after, i % after, x_ + i / after * before * columns_, columns_,
                       merged_x_ + i * columns_);
}

template <typename T>
void EncoderSteps<T>::end_of_layer(int64_t index) {
  if (!merges(index)) return;
  std::swap(x_, merged_x_);
  merges_->advance();
}

template <typename T>
void EncoderSteps<T>::write_sizes() const {
  if (merges_) merges_->write(tensors_.size, tensors_.source, samples_.begin);
}

template class EncoderSteps<float>;
template class EncoderSteps<Bf16>;

}  // namespace vit::kernels
