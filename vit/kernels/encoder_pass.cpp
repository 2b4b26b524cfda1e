#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include <vit/kernels/encoder_pass.h>
#include <vit/kernels/encoder_worker.h>
#include <vit/kernels/float_data.h>
#include <vit/kernels/merge_plan.h>
#include <vit/kernels/row_layers.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/threads.h>

namespace vit::kernels {
namespace {

using simd::Bf16;
using simd::Tile;

/// `T` is what attention multiplies and what activations are kept in: float or Bf16.
template <typename T>
class Pass {
 public:
  Pass(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors, Share samples,
       int64_t threads, Arena& arena)
      : encoder_(encoder),
        config_(encoder.config()),
        plan_(plan),
        tensors_(tensors),
        samples_(samples),
        threads_(threads),
        layers_(config_, encoder.math(), encoder.layer(0).fc2.inner()),
        dim_(config_.embed_dim),
        columns_(layers_.columns()),
        heads_(config_.num_heads),
        head_columns_(simd::round_up(config_.head_dim())) {
    const int64_t tokens = plan.tokens.front(), rows = samples.size() * tokens;
    const bool merges = plan.tokens.back() < tokens;
    x_ = arena.take<float>(rows * columns_);
    if (merges) {
      merged_x_ = arena.take<float>(rows * columns_);
      metric_ = arena.take<float>(rows * head_columns_);
      merges_.emplace(arena, samples.size(), tokens, tensors.source.defined());
    }
    heads_data_ = arena.take<T>(3 * heads_ * rows * head_columns_);
    attended_ = arena.take<T>(rows * columns_);
    if (columns_ != dim_) std::fill_n(attended_, rows * columns_, T{});

    const int64_t hidden_columns = layers_.hidden_columns();
    block_rows_ = rows_together((columns_ + hidden_columns) * static_cast<int64_t>(sizeof(T)));
    const WorkerSizes sizes{block_rows_,   columns_, hidden_columns,
                            head_columns_, tokens,   layers_.quantizes()};
    for (int64_t i = 0; i < threads; ++i) workers_.emplace_back(arena, sizes);
  }

  void run() {
    each_thread([&](int64_t thread) {
      const auto rows = rows_of(plan_.tokens.front(), thread);
      read_input(rows);
      project_qkv(0, x_, rows, workers_[thread]);
    });
    for (int64_t layer = 0; layer < encoder_.depth(); ++layer) {
      const int64_t before = plan_.tokens[layer], after = plan_.tokens[layer + 1];
      const bool merges = after < before;
      attend_and_match(layer);
      if (merges)  // merging needs rows that other threads project
        each_thread([&](int64_t thread) {
          project_attended(layer, x_, rows_of(before, thread), workers_[thread]);
        });
      float* x = merges ? merged_x_ : x_;
      each_thread([&](int64_t thread) {
        const auto rows = rows_of(after, thread);
        if (!merges) project_attended(layer, x_, rows, workers_[thread]);
        mlp(layer, x_, x, rows, workers_[thread]);
        if (layer + 1 < encoder_.depth())
          project_qkv(layer + 1, x, rows, workers_[thread]);
        else
          write_output(x, rows);
      });
      if (merges) {
        std::swap(x_, merged_x_);
        merges_->advance();
      }
    }
    if (merges_) merges_->write(tensors_.size, tensors_.source, samples_.begin);
  }

 private:
  Share rows_of(int64_t tokens, int64_t thread) const {
    return share_of(samples_.size() * tokens, thread, threads_);
  }

  template <typename F>
  void each_thread(const F& work) {
    on_threads(threads_, work);
  }

  /// Runs `work` on blocks of rows that fit the cache with what they become.
  template <typename F>
  void for_blocks(Share rows, const F& work) {
    if (rows.size() == 0) return;
    const int64_t count = (rows.size() + block_rows_ - 1) / block_rows_;
    const int64_t step = std::min(block_rows_, simd::round_up((rows.size() + count - 1) / count));
    for (int64_t row = rows.begin; row < rows.end; row += step)
      work(row, std::min(step, rows.end - row));
  }

  void read_input(Share rows) {
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

  void write_output(const float* x, Share rows) {
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

  /// Rows of one head of q (0), k (1) or v (2).
  T* head_rows(int64_t which, int64_t head, int64_t tokens) {
    return heads_data_ + (which * heads_ + head) * samples_.size() * tokens * head_columns_;
  }

  void project_qkv(int64_t index, const float* x, Share share, Worker<T>& worker) {
    const EncoderLayer& layer = encoder_.layer(index);
    const int64_t tokens = plan_.tokens[index];
    const bool with_metric = plan_.tokens[index + 1] < tokens;
    for_blocks(share, [&](int64_t first, int64_t rows) {
      const bool projects_metric = with_metric && layer.metric;
      const Operand operand = layers_.normalized(x + first * columns_, rows, layer.norm1_weight,
                                                 layer.norm1_bias, worker, projects_metric);
      for (int64_t which = 0; which < 3; ++which)
        for (int64_t head = 0; head < heads_; ++head)
          each_tile(rows, [&](int64_t row, int64_t count) {
            project_head(layer, which, head, operand, row, count, worker);
            const float* bias = layer.qkv.bias() + (which * heads_ + head) * head_columns_;
            Tile tile{worker.tile, head_columns_, count, head_columns_};
            if (layer.q_norm_weight.defined() && which < 2)
              bias = normalize_head(layer, which, tile, bias, worker);
            T* to = head_rows(which, head, tokens) + (first + row) * head_columns_;
            simd::store(tile, bias, to, head_columns_);
            if (with_metric && which == 1 && !layer.metric)
              add_to_metric(tile, bias, head, first + row, worker);
          });
      if (projects_metric)
        layer.metric->project({worker.operand, columns_}, {worker.rest, columns_}, rows,
                              worker.tile, metric_ + first * head_columns_, head_columns_);
    });
  }

  /// One head's columns of the packed projection -> worker.tile.
  void project_head(const EncoderLayer& layer, int64_t which, int64_t head, const Operand& operand,
                    int64_t row, int64_t count, Worker<T>& worker) {
    const int64_t blocks = layer.qkv.blocks_per_group();
    const int64_t group = which * heads_ + head;
    for (int64_t i = 0; i < blocks; ++i) {
      const auto& block = layer.qkv.block(group * blocks + i);
      layer.qkv.multiply_block(block, operand, row, count,
                               worker.tile + block.column - group * head_columns_, head_columns_);
    }
  }

  /// Replaces the tile by its layer norm; returns the bias that is left to add.
  const float* normalize_head(const EncoderLayer& layer, int64_t which, Tile& tile,
                              const float* bias, Worker<T>& worker) {
    const auto eps = static_cast<float>(config_.norm_eps);
    simd::store(tile, bias, worker.other_tile, tile.ld);
    const float* weight = float_data(which == 0 ? layer.q_norm_weight : layer.k_norm_weight);
    const float* shift = float_data(which == 0 ? layer.q_norm_bias : layer.k_norm_bias);
    for (int64_t i = 0; i < tile.rows; ++i)
      simd::layer_norm(worker.other_tile + i * tile.ld, config_.head_dim(), weight, shift, eps,
                       worker.tile + i * tile.ld);
    static constexpr float kNoBias[256] = {};
    return kNoBias;
  }

  /// The metric is the mean of the keys over the heads, before they are rounded.
  void add_to_metric(const Tile& tile, const float* bias, int64_t head, int64_t row,
                     Worker<T>& worker) {
    simd::store(tile, bias, worker.other_tile, tile.ld);
    simd::accumulate({worker.other_tile, tile.ld, tile.rows, tile.cols},
                     1.0f / static_cast<float>(heads_), head == 0, metric_ + row * head_columns_,
                     head_columns_);
  }

  /// Attention of every head, and what merges afterwards.
  void attend_and_match(int64_t index) {
    const int64_t tokens = plan_.tokens[index], after = plan_.tokens[index + 1];
    const int64_t matchings = after < tokens ? samples_.size() : 0;
    const bool biased = merges_ && merges_->merged() && plan_.reducer->proportional_attention();
    const auto attend_head = [&](int64_t unit, Worker<T>& worker) {
      const int64_t sample = unit / heads_, head = unit % heads_;
      const int64_t from = sample * tokens * head_columns_;
      Head<T> work;
      work.q = head_rows(0, head, tokens) + from;
      work.k = head_rows(1, head, tokens) + from;
      work.v = head_rows(2, head, tokens) + from;
      work.tokens = tokens;
      work.columns = head_columns_;
      work.dim = config_.head_dim();
      work.scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim()));
      work.bias = biased ? merges_->log_sizes(sample) : nullptr;
      attend(work, worker.head, attended_ + sample * tokens * columns_ + head * config_.head_dim(),
             columns_);
    };
    each_thread([&](int64_t thread) {
      const auto units = share_of(matchings + samples_.size() * heads_, thread, threads_);
      for (int64_t unit = units.begin; unit < units.end; ++unit) {
        if (unit >= matchings)
          attend_head(unit - matchings, workers_[thread]);
        else
          merges_->match(*plan_.reducer,
                         {metric_ + unit * tokens * head_columns_, tokens, head_columns_,
                          plan_.prefix_tokens, index, encoder_.depth()},
                         unit, after);
      }
    });
  }

  /// x += proj(attended)
  void project_attended(int64_t index, float* x, Share share, Worker<T>& worker) {
    const EncoderLayer& layer = encoder_.layer(index);
    for_blocks(share, [&](int64_t first, int64_t rows) {
      const Operand operand = layers_.operand(attended_ + first * columns_, rows, columns_, worker);
      layers_.add_linear(layer.proj, operand, layer.gamma1, x + first * columns_, rows, worker);
    });
  }

  /// Merges the rows `from` into the fewer `x`, if this layer does, and x += mlp(x).
  void mlp(int64_t index, const float* from, float* x, Share share, Worker<T>& worker) {
    const EncoderLayer& layer = encoder_.layer(index);
    const int64_t before = plan_.tokens[index], after = plan_.tokens[index + 1];
    for_blocks(share, [&](int64_t first, int64_t rows) {
      float* to = x + first * columns_;
      if (after < before)
        for (int64_t i = first; i < first + rows; ++i)
          merges_->merge_row(i / after, i % after, from + i / after * before * columns_, columns_,
                             x + i * columns_);
      const Operand operand =
          layers_.normalized(to, rows, layer.norm2_weight, layer.norm2_bias, worker);
      const Operand hidden = layers_.activated(layer.fc1, operand, rows, worker);
      layers_.add_linear(layer.fc2, hidden, layer.gamma2, to, rows, worker);
    });
  }

  const Encoder& encoder_;
  const VitConfig& config_;
  const TokenPlan& plan_;
  const BatchTensors& tensors_;
  const Share samples_;
  const int64_t threads_;
  const RowLayers<T> layers_;
  const int64_t dim_, columns_, heads_, head_columns_;
  int64_t block_rows_ = 0;
  std::vector<Worker<T>> workers_;
  float* x_ = nullptr;         // [rows, columns] tokens
  float* merged_x_ = nullptr;  // where merging puts them
  float* metric_ = nullptr;    // [rows, head_columns]
  T* heads_data_ = nullptr;    // [3, heads, rows, head_columns]
  T* attended_ = nullptr;      // [rows, columns]
  std::optional<MergePlan> merges_;
};

}  // namespace

void run_pass(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors,
              Share samples, int64_t threads, Arena& arena) {
  if (attention_math(encoder.math()) == Math::fp32)
    Pass<float>(encoder, plan, tensors, samples, threads, arena).run();
  else
    Pass<Bf16>(encoder, plan, tensors, samples, threads, arena).run();
}

}  // namespace vit::kernels
