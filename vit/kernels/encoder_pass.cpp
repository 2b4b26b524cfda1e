#include <algorithm>
#include <optional>
#include <vector>

#include <vit/kernels/encoder_pass.h>
#include <vit/kernels/encoder_steps.h>
#include <vit/kernels/product.h>
#include <vit/kernels/threads.h>
#include <vit/kernels/tile_rows.h>

namespace vit::kernels {
namespace {

/// Rows that one thread takes through the layers of a branch together.
int64_t block_rows(const Encoder& encoder) {
  const EncoderLayer& layer = encoder.layer(0);
  return rows_together((layer.fc1.inner() + layer.fc2.inner()) *
                       element_size(attention_math(encoder.math())));
}

/// Which thread takes which step of which part of the samples.
template <typename T>
class Pass {
 public:
  Pass(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors, Range samples,
       int64_t threads, Parallelism parallelism, Workspace& workspace)
      : encoder_(encoder),
        steps_(encoder, plan, tensors, samples, workspace),
        layers_(steps_.layers()),
        columns_(layers_.columns()),
        threads_(threads) {
    const int64_t hidden_columns = layers_.hidden_columns();
    block_rows_ = block_rows(encoder);
    const bool by_columns = parallelism == Parallelism::columns;
    WorkerSizes sizes{
        by_columns ? 0 : block_rows_, columns_,           hidden_columns, steps_.head_columns(),
        plan.tokens.front(),          layers_.quantizes()};
    for (int64_t i = 0; i < threads; ++i) workers_.emplace_back(workspace, sizes);
    if (!by_columns) return;
    sizes.block_rows = steps_.rows_before(0);
    shared_.emplace(workspace, sizes);
  }

  void run() {
    if (shared_)
      run_by_columns();
    else
      run_by_rows();
    steps_.write_sizes();
  }

 private:
  /// Every thread takes rows through as many steps as it can without those of others.
  void run_by_rows() {
    prepare_rotary(0);
    each_thread([&](int64_t thread) {
      const auto rows = part(steps_.rows_before(0), thread);
      steps_.read_input(rows);
      project_qkv(0, steps_.x(), rows, workers_[thread]);
    });
    for (int64_t index = 0; index < encoder_.depth(); ++index) {
      attend_and_match(index);
      const bool merges = steps_.merges(index);
      if (merges)  // merging needs rows that other threads project
        each_thread([&](int64_t thread) {
          project_attended(index, part(steps_.rows_before(index), thread), workers_[thread]);
        });
      end_matching(index);
      prepare_rotary(index + 1);
      float* x = steps_.x_after(index);
      each_thread([&](int64_t thread) {
        const auto rows = part(steps_.rows_after(index), thread);
        if (!merges) project_attended(index, rows, workers_[thread]);
        mlp(index, rows, workers_[thread]);
        if (index + 1 < encoder_.depth())
          project_qkv(index + 1, x, rows, workers_[thread]);
        else
          steps_.write_output(x, rows);
      });
      steps_.end_of_layer(index);
    }
  }

  /// Every thread multiplies all rows by columns of its own, so that it reads its part of the
  /// weights alone.
  void run_by_columns() {
    const Operand normalized = layers_.operand_of(shared_->operand, columns_, *shared_);
    prepare_rotary(0);
    each_rows(steps_.rows_before(0), columns_, [&](Range rows, Worker<T>& worker) {
      steps_.read_input(rows);
      steps_.prepare_qkv(0, steps_.x(), rows.begin, rows.size(), worker);
    });
    for (int64_t index = 0; index < encoder_.depth(); ++index) {
      const EncoderLayer& layer = encoder_.layer(index);
      const int64_t before = steps_.rows_before(index);
      each_part(steps_.qkv_groups(index), [&](Range groups, Worker<T>& worker) {
        steps_.project_heads(index, normalized, 0, before, groups, worker);
      });
      attend_and_match(index);
      const Operand attended =
          shared_operand(before, steps_.attended(), columns_, layer.attn_norm,
                         [&](T* from, int64_t rows, Worker<T>& worker) {
                           layers_.attended(from, rows, layer.attn_norm, worker);
                         });
      each_part(layer.proj.blocks_per_group(), [&](Range blocks, Worker<T>& worker) {
        layers_.add_linear(layer.proj, attended, layer.gamma1, steps_.x(), before, blocks, worker);
      });
      end_matching(index);
      prepare_rotary(index + 1);
      const int64_t after = steps_.rows_after(index);
      float* x = steps_.x_after(index);
      each_rows(after, columns_, [&](Range rows, Worker<T>& worker) {
        if (steps_.merges(index)) steps_.merge(rows);
        layers_.normalized(x + rows.begin * columns_, rows.size(), layer.norm2, worker);
      });
      each_part(layer.fc1.blocks_per_group(), [&](Range blocks, Worker<T>& worker) {
        layers_.activate(layer.fc1, normalized, after, blocks, shared_->hidden, worker);
      });
      const Operand hidden =
          shared_operand(after, shared_->hidden, layers_.hidden_columns(), layer.mlp_norm,
                         [&](T* from, int64_t rows, Worker<T>& worker) {
                           layers_.hidden(from, rows, layer.mlp_norm, worker);
                         });
      each_part(layer.fc2.blocks_per_group(), [&](Range blocks, Worker<T>& worker) {
        layers_.add_linear(layer.fc2, hidden, layer.gamma2, x, after, blocks, worker);
      });
      each_rows(after, columns_, [&](Range rows, Worker<T>& worker) {
        if (index + 1 < encoder_.depth())
          steps_.prepare_qkv(index + 1, x, rows.begin, rows.size(), worker);
        else
          steps_.write_output(x, rows);
      });
      steps_.end_of_layer(index);
    }
  }

  template <typename F>
  void each_thread(const F& work) {
    on_threads(threads_, work);
  }

  Range part(int64_t total, int64_t thread) const { return part_of(total, thread, threads_); }

  template <typename F>
  void each_part(int64_t total, const F& work) {
    each_thread([&](int64_t thread) { work(part(total, thread), workers_[thread]); });
  }

  /// Each thread's rows, with a worker whose operands, of `columns`, are the shared ones.
  template <typename F>
  void each_rows(int64_t total, int64_t columns, const F& work) {
    each_thread([&](int64_t thread) {
      const auto rows = part(total, thread);
      auto worker = shared_->from(rows.begin, columns, workers_[thread]);
      work(rows, worker);
    });
  }

  /// What `prepare` makes of all rows from `from` on, if there is anything to be done with them.
  template <typename F>
  Operand shared_operand(int64_t total, T* from, int64_t columns, const PackedNorm& norm,
                         const F& prepare) {
    if (layers_.quantizes() || norm.defined())
      each_rows(total, columns, [&](Range rows, Worker<T>& worker) {
        prepare(from + rows.begin * columns, rows.size(), worker);
      });
    return layers_.operand_of(from, columns, *shared_);
  }

  /// Runs `work` on blocks of rows that fit the cache with what they become.
  template <typename F>
  void for_blocks(Range rows, const F& work) {
    if (rows.size() == 0) return;
    const int64_t count = (rows.size() + block_rows_ - 1) / block_rows_;
    const int64_t step = std::min(block_rows_, simd::round_up((rows.size() + count - 1) / count));
    for (int64_t row = rows.begin; row < rows.end; row += step)
      work(row, std::min(step, rows.end - row));
  }

  void project_qkv(int64_t index, const float* x, Range range, Worker<T>& worker) {
    for_blocks(range, [&](int64_t first, int64_t rows) {
      const Operand operand = steps_.prepare_qkv(index, x, first, rows, worker);
      steps_.project_heads(index, operand, first, rows, {0, steps_.qkv_groups(index)}, worker);
    });
  }

  void attend_and_match(int64_t index) {
    each_part(steps_.attention_units(index), [&](Range units, Worker<T>& worker) {
      steps_.attend_and_match(index, units, worker);
    });
  }

  /// What could not be matched beside attention, and how many rows leave the layer.
  void end_matching(int64_t index) {
    if (steps_.matches_late(index))
      each_part(steps_.samples(),
                [&](Range samples, Worker<T>& worker) { steps_.match(index, samples, worker); });
    steps_.count_rows(index);
  }

  /// The angles of a layer, where they are others than those of the layer before.
  void prepare_rotary(int64_t index) {
    const int64_t rows = steps_.rotary_rows(index);
    if (rows > 0)
      each_thread([&](int64_t thread) { steps_.prepare_rotary(index, part(rows, thread)); });
  }

  /// x += proj(attended)
  void project_attended(int64_t index, Range range, Worker<T>& worker) {
    const EncoderLayer& layer = encoder_.layer(index);
    for_blocks(range, [&](int64_t first, int64_t rows) {
      const Operand operand =
          layers_.attended(steps_.attended() + first * columns_, rows, layer.attn_norm, worker);
      layers_.add_linear(layer.proj, operand, layer.gamma1, steps_.x() + first * columns_, rows,
                         {0, layer.proj.blocks_per_group()}, worker);
    });
  }

  /// Merges the tokens into fewer, if this layer does, and x += mlp(x).
  void mlp(int64_t index, Range range, Worker<T>& worker) {
    const EncoderLayer& layer = encoder_.layer(index);
    for_blocks(range, [&](int64_t first, int64_t rows) {
      float* x = steps_.x_after(index) + first * columns_;
      if (steps_.merges(index)) steps_.merge({first, first + rows});
      const Operand operand = layers_.normalized(x, rows, layer.norm2, worker);
      layers_.activate(layer.fc1, operand, rows, {0, layer.fc1.blocks_per_group()}, worker.hidden,
                       worker);
      const Operand hidden = layers_.hidden(worker.hidden, rows, layer.mlp_norm, worker);
      layers_.add_linear(layer.fc2, hidden, layer.gamma2, x, rows,
                         {0, layer.fc2.blocks_per_group()}, worker);
    });
  }

  const Encoder& encoder_;
  EncoderSteps<T> steps_;
  const RowLayers<T>& layers_;
  const int64_t columns_, threads_;
  int64_t block_rows_ = 0;
  std::vector<Worker<T>> workers_;
  std::optional<Worker<T>> shared_;  // operands of all rows, where columns are shared
};

}  // namespace

bool TokenPlan::merges() const {
  return std::any_of(needs.begin(), needs.end(), [](const auto& x) { return x.has_value(); });
}

bool TokenPlan::needs_metric() const {
  return std::any_of(needs.begin(), needs.end(), [](const auto& x) { return x && x->key_metric; });
}

bool TokenPlan::needs_rotated_metric() const {
  return std::any_of(needs.begin(), needs.end(),
                     [](const auto& x) { return x && x->key_metric && x->rotated; });
}

Parallelism best_parallelism(const Encoder& encoder, const TokenPlan& plan, Range samples,
                             int64_t threads) {
  // What of the cache that cores share may keep weights from one input to the next.
  constexpr int64_t kKept = int64_t{32} << 20;
  const EncoderLayer& layer = encoder.layer(0);
  const int64_t weights = encoder.depth() * (layer.qkv.nbytes() + layer.proj.nbytes() +
                                             layer.fc1.nbytes() + layer.fc2.nbytes());
  const int64_t blocks = layer.proj.blocks_per_group();
  const bool evenly = blocks % threads == 0 || blocks >= 4 * threads;
  const bool rotated = encoder.block().rotary && plan.needs_rotated_metric();
  const bool sums_keys = rotated || (!layer.metric && plan.needs_metric());
  const bool few_rows = samples.size() * plan.tokens.front() < threads * block_rows(encoder);
  const bool columns = threads > 1 && weights > kKept && few_rows && evenly && !sums_keys;
  return columns ? Parallelism::columns : Parallelism::rows;
}

void run_pass(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors,
              Range samples, int64_t threads, Parallelism parallelism, Workspace& workspace) {
  if (attention_math(encoder.math()) == Math::fp32)
    Pass<float>(encoder, plan, tensors, samples, threads, parallelism, workspace).run();
  else
    Pass<simd::Bf16>(encoder, plan, tensors, samples, threads, parallelism, workspace).run();
}

}  // namespace vit::kernels
