#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include <vit/kernels/prefetch.h>
#include <vit/training/mlp_pass.h>
#include <vit/training/simd.h>

namespace vit::training {
namespace {

using kernels::kBlockColumns;
using simd::Tile;

template <typename T>
int64_t row_bytes(const MlpData& data) {
  return (data.branch.dim + data.fc1_columns()) * static_cast<int64_t>(sizeof(T));
}

/// Scratch memory of one thread.
template <typename T>
struct Worker {
  Worker(Pass& pass, const MlpData& data, int64_t hidden_columns)
      : packing(
            pass.workspace().template take<T>(pack_scratch(data.fc1_columns(), data.branch.dim))),
        operand(pass.workspace().template take<T>(pass.chunk_rows() * data.branch.dim)),
        hidden(pass.workspace().template take<T>(pass.chunk_rows() * hidden_columns)),
        value(pass.workspace().template take<T>(kTileRows * kBlockColumns)),
        tile(pass.workspace().template take<float>(GradientOperands<T>::kTile)),
        other_tile(pass.workspace().template take<float>(kTileRows * kBlockColumns)),
        sums(pass.workspace().template take<float>(pass.chunk_rows() * data.branch.dim)) {}

  T* packing;
  T* operand;  ///< [chunk_rows, dim]
  T* hidden;   ///< [chunk_rows, hidden_columns]
  T* value;
  float* tile;
  float* other_tile;
  float* sums;  ///< [chunk_rows, dim]
};

template <typename T>
std::vector<Worker<T>> take_workers(Pass& pass, const MlpData& data, int64_t hidden_columns) {
  std::vector<Worker<T>> workers;
  for (int64_t i = 0; i < pass.threads(); ++i) workers.emplace_back(pass, data, hidden_columns);
  return workers;
}

/// worker.hidden = act(fc1(worker.operand)) of a chunk.
template <typename T>
void hidden_forward(const MlpData& data, const PackedMatrix<T>& fc1, const Chunk& chunk,
                    const Worker<T>& worker, T* saved) {
  const int64_t dim = data.branch.dim, hidden = data.hidden, saved_ld = data.fc1_columns();
  for (int64_t i = 0; i < fc1.blocks_per_group(); ++i) {
    const auto block = fc1.block(i);
    const int64_t width = block.size();
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      const T* operand = worker.operand + row * dim;
      T* at_row = saved + (chunk.first + row) * saved_ld + block.begin;
      kernels::prefetch_rows(at_row, saved_ld, count, width);
      multiply_block(operand, dim, count, fc1, block, worker.tile, width);
      const Tile tile{worker.tile, width, count, width};
      T* out = worker.hidden + row * hidden + block.begin;
      const float* bias = data.fc1_bias + block.begin;
      if (data.gated) {
        multiply_block(operand, dim, count, fc1, fc1.block(fc1.blocks_per_group() + i),
                       worker.other_tile, width);
        simd::gate_and_save({tile, worker.other_tile, bias, bias + hidden}, hidden, at_row,
                            saved_ld, out, hidden);
      } else {
        simd::activate_and_save(tile, bias, data.activation, at_row, saved_ld, out, hidden);
      }
    });
  }
}

/// worker.hidden = gradient of fc1's outputs in a chunk, from worker.operand, that of fc2's; puts
/// fc2's inputs to `fc2_operands`.
template <typename T>
void hidden_backward(const MlpData& data, const PackedMatrix<T>& fc2, const Chunk& chunk,
                     const Worker<T>& worker, const T* saved, GradientOperands<T>& fc2_operands) {
  const int64_t dim = data.branch.dim, ld = data.fc1_columns();
  for (int64_t i = 0; i < fc2.blocks(); ++i) {
    const auto block = fc2.block(i);
    const int64_t width = block.size();
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      const T* at_row = saved + (chunk.first + row) * ld + block.begin;
      kernels::prefetch_rows(at_row, ld, count, width);
      multiply_block(worker.operand + row * dim, dim, count, fc2, block, worker.tile, width);
      const Tile tile{worker.tile, width, count, width};
      T* to = worker.hidden + row * ld + block.begin;
      fc2_operands.make_right(chunk, block.begin, width, row, count, worker.value, [&](T* value) {
        if (data.gated)
          simd::gate_backward(tile, at_row, ld, data.hidden, to, ld, value, width);
        else
          simd::activate_backward(tile, at_row, ld, data.activation, to, ld, value, width);
      });
    });
  }
}

}  // namespace

template <typename T>
void mlp_forward(const MlpData& data, T* saved, float* out) {
  Pass pass(data.branch, row_bytes<T>(data));
  const auto fc1 =
      take_matrix<T>(pass.workspace(), data.branch.dim, data.fc1_columns(), data.hidden);
  const auto fc2 = take_matrix<T>(pass.workspace(), data.hidden, data.branch.dim);
  const auto workers = take_workers<T>(pass, data, data.hidden);
  pass.each_thread([&](int64_t thread) {
    T* scratch = workers[thread].packing;
    pack_transposed(data.fc1_weight, fc1, pass.part(fc1.blocks(), thread), scratch);
    pack_transposed(data.fc2_weight, fc2, pass.part(fc2.blocks(), thread), scratch);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    normalize(data.branch, chunk, worker.operand);
    hidden_forward(data, fc1, chunk, worker, saved);
    add_to_tokens(data.branch, pass, chunk, worker.hidden, fc2, data.fc2_bias, worker.tile, out);
  });
}

template <typename T>
BranchGradients mlp_backward(const MlpData& data, const T* saved, const float* gradient,
                             bool wants_fc1, bool wants_fc2) {
  const int64_t dim = data.branch.dim, columns = data.fc1_columns();
  Pass pass(data.branch, row_bytes<T>(data));
  const auto fc1 = take_matrix<T>(pass.workspace(), columns, dim);
  const auto fc2 = take_matrix<T>(pass.workspace(), dim, data.hidden);
  GradientOperands<T> fc1_operands(pass.workspace(), pass.chunks(), columns, dim);
  GradientOperands<T> fc2_operands(pass.workspace(), pass.chunks(), dim, data.hidden);
  const auto workers = take_workers<T>(pass, data, columns);
  const VectorGradient fc1_bias(pass, columns), fc2_bias(pass, dim), norm_weight(pass, dim),
      norm_bias(pass, dim);
  BranchGradients result;
  result.x = at::empty({data.branch.samples, data.branch.tokens, dim}, at::kFloat);
  if (wants_fc1) result.first_weight = at::empty({columns, dim}, at::kFloat);
  if (wants_fc2) result.last_weight = at::empty({dim, data.hidden}, at::kFloat);

  pass.each_thread([&](int64_t thread) {
    T* scratch = workers[thread].packing;
    pack_weight(data.fc1_weight, nullptr, fc1, pass.part(fc1.blocks(), thread), scratch);
    pack_weight(data.fc2_weight, data.branch.gamma, fc2, pass.part(fc2.blocks(), thread), scratch);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    narrow_gradient(data.branch, pass, chunk, gradient, worker.operand);
    simd::sum_rows(worker.operand, dim, chunk.rows, dim, fc2_bias.of(chunk));
    fc2_operands.put_left(chunk, worker.operand);
    hidden_backward(data, fc2, chunk, worker, saved, fc2_operands);
    simd::sum_rows(worker.hidden, columns, chunk.rows, columns, fc1_bias.of(chunk));
    fc1_operands.put_left(chunk, worker.hidden);
    normalize(data.branch, chunk, worker.operand);
    fc1_operands.put_right(chunk, worker.operand);
    for (int64_t i = 0; i < fc1.blocks(); ++i) {
      const auto block = fc1.block(i);
      each_tile(chunk.rows, [&](int64_t row, int64_t count) {
        multiply_block(worker.hidden + row * columns, columns, count, fc1, block,
                       worker.sums + row * dim + block.begin, dim);
      });
    }
    normalize_backward(data.branch, chunk, worker.sums, gradient,
                       result.x.mutable_data_ptr<float>(), norm_weight.of(chunk),
                       norm_bias.of(chunk));
  });
  compute_weight_gradients<T>(pass, {fc1_operands, result.first_weight},
                              {fc2_operands, result.last_weight},
                              [&](int64_t thread) { return workers[thread].tile; });
  result.first_bias = fc1_bias.sum();
  result.last_bias = fc2_bias.sum();
  result.norm_weight = norm_weight.sum();
  result.norm_bias = norm_bias.sum();
  return result;
}

template void mlp_forward(const MlpData&, float*, float*);
template void mlp_forward(const MlpData&, simd::Bf16*, float*);
template BranchGradients mlp_backward(const MlpData&, const float*, const float*, bool, bool);
template BranchGradients mlp_backward(const MlpData&, const simd::Bf16*, const float*, bool, bool);

}  // namespace vit::training
