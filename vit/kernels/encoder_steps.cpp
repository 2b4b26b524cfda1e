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

namespace {

constexpr float kNoBias[simd::round_up(kMaxHeadDim)] = {};

/// The sample that a row is of.
int64_t sample_of(const std::vector<int64_t>& begins, int64_t row) {
  return std::upper_bound(begins.begin(), begins.end(), row) - begins.begin() - 1;
}

/// Calls work(row, sample, row within the sample) for rows of samples that begin at `begins`.
template <typename F>
void each_row(const std::vector<int64_t>& begins, Range rows, const F& work) {
  int64_t sample = rows.size() > 0 ? sample_of(begins, rows.begin) : 0;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    while (row >= begins[sample + 1]) ++sample;
    work(row, sample, row - begins[sample]);
  }
}

}  // namespace

template <typename T>
EncoderSteps<T>::EncoderSteps(const Encoder& encoder, const TokenPlan& plan,
                              const BatchTensors& tensors, Range samples, Workspace& workspace)
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
  const int64_t tokens = plan.tokens.front();
  begins_.push_back(0);
  for (int64_t i = samples.begin; i < samples.end; ++i)
    begins_.push_back(begins_.back() + tensors.tokens_of(i, tokens));
  const int64_t rows = begins_.back();
  x_ = workspace.take<float>(rows * columns_);
  rows_.assign(encoder.depth() + 1, rows);
  if (plan.merges()) {
    merged_x_ = workspace.take<float>(rows * columns_);
    const auto rule = plan.reducer->position_rule();
    const bool averages_angles = block_.rotary && rule == PositionRule::mean_of_angles;
    merges_.emplace(workspace, samples.size(), tokens, tensors, samples.begin,
                    MergePlan::Tracking{block_.relative_bias || averages_angles, rule});
    next_begins_ = begins_;
  }
  if (block_.rotary) {
    rotary_.emplace(block_, tensors.grid,
                    RotaryTables::Sizes{samples.size(), tokens, plan.prefix_tokens,
                                        tensors.same_positions, plan.merges()},
                    workspace);
  }
  if (plan.needs_metric()) metric_ = workspace.take<float>(rows * head_columns_);
  int64_t groups = 0;
  for (int64_t i = 0; i < encoder.depth(); ++i) groups = std::max(groups, qkv_groups(i));
  heads_data_ = workspace.take<T>(groups * rows * head_columns_);
  attended_ = workspace.take<T>(rows * columns_);
  if (columns_ != dim_) std::fill_n(attended_, rows * columns_, T{});
}

template <typename T>
void EncoderSteps<T>::read_input(Range rows) {
  each_row(begins_, rows, [&](int64_t row, int64_t sample, int64_t i) {
    const int64_t at = ((samples_.begin + sample) * plan_.tokens.front() + i) * dim_;
    float* to = x_ + row * columns_;
    if (tensors_.input.scalar_type() == at::kFloat)
      std::copy_n(tensors_.input.const_data_ptr<float>() + at, dim_, to);
    else
      simd::to_float(
          reinterpret_cast<const Bf16*>(tensors_.input.const_data_ptr<at::BFloat16>() + at), dim_,
          to);
    std::fill(to + dim_, to + columns_, 0.0f);
  });
}

template <typename T>
void EncoderSteps<T>::write_output(const float* x, Range rows) const {
  const int64_t last = encoder_.depth() - 1, most = tensors_.output.size(1);
  each_row(merges(last) ? next_begins_ : begins_, rows,
           [&](int64_t row, int64_t sample, int64_t i) {
             const float* from = x + row * columns_;
             const int64_t at = ((samples_.begin + sample) * most + i) * dim_;
             if (tensors_.output.scalar_type() == at::kFloat)
               std::copy_n(from, dim_, tensors_.output.mutable_data_ptr<float>() + at);
             else
               simd::to_bf16(
                   from, dim_,
                   reinterpret_cast<Bf16*>(tensors_.output.mutable_data_ptr<at::BFloat16>() + at));
           });
}

template <typename T>
Operand EncoderSteps<T>::prepare_qkv(int64_t index, const float* x, int64_t first, int64_t rows,
                                     Worker<T>& worker) {
  const EncoderLayer& layer = encoder_.layer(index);
  const bool with_metric = needs_metric(index) && !sums_keys(index);
  const Operand operand =
      layers_.normalized(x + first * columns_, rows, layer.norm1, worker, with_metric);
  if (with_metric)
    layer.metric->project({worker.operand, columns_}, {worker.rest, columns_}, rows, worker.tile,
                          metric_ + first * head_columns_, head_columns_);
  return operand;
}

template <typename T>
void EncoderSteps<T>::project_heads(int64_t index, const Operand& operand, int64_t first,
                                    int64_t rows, Range groups, Worker<T>& worker) {
  const EncoderLayer& layer = encoder_.layer(index);
  const int64_t first_value = heads_ + layer.kv_heads;
  for (int64_t group = groups.begin; group < groups.end; ++group)
    each_tile(rows, [&](int64_t row, int64_t count) {
      const bool is_query = group < heads_, is_key = !is_query && group < first_value;
      T* to = group_rows(group, index) + (first + row) * head_columns_;
      prefetch_rows(to, head_columns_, count, head_columns_);
      const Tile tile = project_head(layer, group, operand, row, count, worker);
      const float* bias = layer.qkv.bias() + group * head_columns_;
      const bool summed = is_key && sums_keys(index);
      const bool turned = rotary_ && (is_query || is_key);
      if (!summed && !turned && !(block_.qk_norm && (is_query || is_key)))
        return simd::store(tile, bias, to, head_columns_);
      const int64_t head = is_query ? group : group - heads_;
      Tile exact = exact_head(layer, is_query, tile, bias, worker);
      if (summed && !needs_rotated(index)) add_to_metric(exact, head, layer.kv_heads, first + row);
      if (turned && summed && needs_rotated(index)) {
        float* other = exact.data == worker.tile ? worker.other_tile : worker.tile;
        rotate(exact, first + row, head, other);
        exact.data = other;
        add_to_metric(exact, head, layer.kv_heads, first + row);
      } else if (turned) {
        return rotate(exact, first + row, head, to);
      }
      simd::store(exact, kNoBias, to, head_columns_);
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
Tile EncoderSteps<T>::exact_head(const EncoderLayer& layer, bool is_query, const Tile& tile,
                                 const float* bias, Worker<T>& worker) {
  simd::store(tile, bias, worker.other_tile, tile.ld);
  float* exact = worker.other_tile;
  if (block_.qk_norm) {
    exact = worker.tile;
    for (int64_t i = 0; i < tile.rows; ++i)
      normalize_row(block_, is_query ? layer.q_norm : layer.k_norm, worker.other_tile + i * tile.ld,
                    block_.head_dim(), exact + i * tile.ld);
  }
  return {exact, tile.ld, tile.rows, tile.cols};
}

template <typename T>
template <typename Out>
void EncoderSteps<T>::rotate(const Tile& tile, int64_t row, int64_t head, Out* out) {
  Tile part = tile;
  auto sample = sample_of(rotary_begins_, row);
  for (int64_t done = 0; done < tile.rows; done += part.rows, ++sample) {
    const int64_t at = row + done;
    part.data = tile.data + done * tile.ld;
    part.rows = std::min(tile.rows - done, rotary_begins_[sample + 1] - at);
    if (part.rows > 0)
      simd::rotate(part, rotary_->rotation(sample, at - rotary_begins_[sample], head),
                   out + done * head_columns_, head_columns_);
  }
}

template <typename T>
int64_t EncoderSteps<T>::rotary_rows(int64_t index) {
  if (!rotary_ || index >= encoder_.depth()) return 0;
  const bool moved = index > 0 && merges(index - 1);
  if (index > 0 && !moved && !rotary_->by_layer()) return 0;
  if (moved) rotary_->separate();
  rotary_begins_ = moved ? next_begins_ : begins_;
  return rotary_->shared() ? plan_.tokens.front() : rotary_begins_.back();
}

template <typename T>
void EncoderSteps<T>::prepare_rotary(int64_t index, Range rows) {
  const RotaryFrequencies& frequencies = encoder_.layer(index).rotary;
  const bool moved = index > 0 && merges(index - 1);
  const int64_t axes = block_.rotary->axes;
  const bool averages = merges_ && (moved || merges_->merged()) &&
                        plan_.reducer->position_rule() == PositionRule::mean_of_angles;
  each_row(rotary_begins_, rows, [&](int64_t, int64_t sample, int64_t i) {
    const float* input = tensors_.input_positions.template const_data_ptr<float>() +
                         (samples_.begin + sample) * plan_.tokens.front() * axes;
    if (averages) {
      const auto lists = moved ? merges_->next_members(sample) : merges_->members(sample);
      const int64_t first = lists.begins[i];
      rotary_->compute_mean(frequencies, sample, i, input, lists.members + first,
                            lists.begins[i + 1] - first);
    } else {
      const float* places = !merges_ ? input
                            : moved  ? merges_->next_places(sample)
                                     : merges_->places(sample);
      rotary_->compute(frequencies, sample, i, places + i * axes);
    }
  });
}

template <typename T>
void EncoderSteps<T>::add_to_metric(const Tile& tile, int64_t head, int64_t kv_heads, int64_t row) {
  simd::accumulate(tile, 1.0f / static_cast<float>(kv_heads), head == 0,
                   metric_ + row * head_columns_, head_columns_);
}

template <typename T>
void EncoderSteps<T>::attend_and_match(int64_t index, Range units, Worker<T>& worker) {
  const int64_t matchings = matches_early(index) ? samples_.size() : 0;
  const Range samples{std::min(units.begin, matchings), std::min(units.end, matchings)};
  if (samples.size() > 0) match(index, samples, worker);
  for (int64_t unit = std::max(units.begin, matchings); unit < units.end; ++unit) {
    const int64_t i = unit - matchings;
    // A head's biases stay in the cache from one sample to the next.
    if (block_.relative_bias)
      attend_head(index, i % samples_.size(), i / samples_.size(), worker);
    else
      attend_head(index, i / heads_, i % heads_, worker);
  }
}

template <typename T>
void EncoderSteps<T>::match(int64_t index, Range samples, Worker<T>& worker) {
  const ReducerNeeds& needs = *plan_.needs[index];
  for (int64_t sample = samples.begin; sample < samples.end; ++sample) {
    const int64_t tokens = begins_[sample + 1] - begins_[sample];
    GroupRequest request;
    request.at = {index, encoder_.depth(), tokens, plan_.prefix_tokens};
    request.sample = samples_.begin + sample;
    if (needs.key_metric)
      request.metric = {metric_ + begins_[sample] * head_columns_, block_.head_dim(),
                        head_columns_};
    if (needs.tokens) request.tokens = {x_ + begins_[sample] * columns_, dim_, columns_};
    if (needs.class_attention) {
      float* attention = merges_->class_attention(sample);
      std::fill_n(attention, tokens, 0.0f);
      PairBias pairs;
      for (int64_t head = 0; head < heads_; ++head)
        add_first_attention(head_of(index, sample, head, worker.head, pairs), worker.head,
                            1.0f / static_cast<float>(heads_), attention);
      request.class_attention = attention;
    }
    merges_->match(*plan_.reducer, request, sample);
  }
}

template <typename T>
void EncoderSteps<T>::count_rows(int64_t index) {
  rows_[index + 1] = rows_[index];
  if (!merges(index)) return;
  for (int64_t sample = 0; sample < samples_.size(); ++sample)
    next_begins_[sample + 1] = next_begins_[sample] + merges_->tokens_after(sample);
  rows_[index + 1] = next_begins_.back();
}

template <typename T>
Head<T> EncoderSteps<T>::head_of(int64_t index, int64_t sample, int64_t head,
                                 const HeadScratch<T>& scratch, PairBias& pairs) {
  const int64_t from = begins_[sample] * head_columns_;
  const bool biased = merges_ && merges_->merged() && plan_.reducer->proportional_attention();
  const int64_t kv_heads = encoder_.layer(index).kv_heads;
  const int64_t key = heads_ + head / (heads_ / kv_heads);
  Head<T> result;
  result.q = group_rows(head, index) + from;
  result.k = group_rows(key, index) + from;
  result.v = group_rows(key + kv_heads, index) + from;
  result.tokens = begins_[sample + 1] - begins_[sample];
  result.columns = head_columns_;
  result.dim = block_.head_dim();
  result.scale = 1.0f / std::sqrt(static_cast<float>(block_.head_dim()));
  result.bias = biased ? merges_->log_sizes(sample) : nullptr;
  if (const at::Tensor& bias = encoder_.layer(index).relative_bias; bias.defined()) {
    pairs.ld = bias.size(2);
    pairs.table = bias.const_data_ptr<float>() + head * bias.stride(0);
    pairs.tokens = result.tokens;
    if (merges_ && merges_->merged()) pairs.members = merges_->members(sample);
    pairs.key_bias = result.bias;
    pairs.sums = scratch.pair_sums;
    pairs.out = scratch.pair_biases;
    result.pairs = &pairs;
  }
  return result;
}

template <typename T>
void EncoderSteps<T>::attend_head(int64_t index, int64_t sample, int64_t head, Worker<T>& worker) {
  PairBias pairs;
  attend(head_of(index, sample, head, worker.head, pairs), worker.head,
         attended_ + begins_[sample] * columns_ + head * block_.head_dim(), columns_);
}

template <typename T>
void EncoderSteps<T>::merge(Range rows) {
  each_row(next_begins_, rows, [&](int64_t row, int64_t sample, int64_t i) {
    merges_->merge_row(sample, i, x_ + begins_[sample] * columns_, columns_,
                       merged_x_ + row * columns_);
  });
}

template <typename T>
void EncoderSteps<T>::end_of_layer(int64_t index) {
  if (!merges(index)) return;
  std::swap(x_, merged_x_);
  std::swap(begins_, next_begins_);
  next_begins_.front() = 0;
  merges_->advance();
}

template <typename T>
void EncoderSteps<T>::write_sizes() const {
  if (merges_) merges_->write();
}

template class EncoderSteps<float>;
template class EncoderSteps<Bf16>;

}  // namespace vit::kernels
