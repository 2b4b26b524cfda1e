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
        value(pass.workspace().template take<T>(
            std::max(kTileRows * kBlockColumns, data.inner_norm ? data.hidden : 0))),
        tile(pass.workspace().template take<float>(GradientOperands<T>::kTile)),
        other_tile(pass.workspace().template take<float>(kTileRows * kBlockColumns)),
        sums(pass.workspace().template take<float>(pass.chunk_rows() * data.branch.dim)),
        row(pass.workspace().template take<float>(data.hidden)) {}

  T* packing;
  T* operand;  ///< [chunk_rows, dim]
  T* hidden;   ///< [chunk_rows, hidden_columns]
  T* value;    ///< of a tile, or of a row that is normed
  float* tile;
  float* other_tile;
  float* sums;  ///< [chunk_rows, dim]
  float* row;   ///< [hidden]
};

template <typename T>
std::vector<Worker<T>> take_workers(Pass& pass, const MlpData& data, int64_t hidden_columns) {
  std::vector<Worker<T>> workers;
  for (int64_t i = 0; i < pass.threads(); ++i) workers.emplace_back(pass, data, hidden_columns);
  return workers;
}

/// worker.hidden = norm?(act(fc1(worker.operand))) of a chunk.
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
  for (int64_t i = 0; data.inner_norm && i < chunk.rows; ++i) {
    T* const row = worker.hidden + i * hidden;
    normalize_row(data.inner_norm, as_floats(row, hidden, worker.row), hidden, row);
  }
}

/// Backward pass of the activation: a tile of gradients and what fc1 gave, in rows `saved_ld` apart
/// -> the gradients of that, in rows as far apart, and the values of the activation.
template <typename T>
void activation_backward(const MlpData& data, const Tile& tile, const T* saved, T* dsaved, T* value,
                         int64_t value_ld) {
  const int64_t ld = data.fc1_columns();
  if (data.gated)
    simd::gate_backward(tile, saved, ld, data.hidden, dsaved, ld, value, value_ld);
  else
    simd::activate_backward(tile, saved, ld, data.activation, dsaved, ld, value, value_ld);
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
        activation_backward(data, tile, at_row, to, value, width);
      });
    });
  }
}

/// What an MLP with a norm before fc2 needs beside a Worker.
template <typename T>
struct NormWorker {
  NormWorker(Pass& pass, const MlpData& data)
      : normed(pass.workspace().template take<T>(pass.chunk_rows() * data.hidden)),
        gradients(pass.workspace().template take<float>(pass.chunk_rows() * data.hidden)) {}

  T* normed;         ///< [chunk_rows, hidden]
  float* gradients;  ///< likewise
};

/// hidden_backward() where there is a norm before fc2.
template <typename T>
void normed_hidden_backward(const MlpData& data, const PackedMatrix<T>& fc2, const Chunk& chunk,
                            const Worker<T>& worker, const NormWorker<T>& norm_worker,
                            const T* saved, GradientOperands<T>& fc2_operands,
                            const NormGradientSums& norm) {
  const int64_t dim = data.branch.dim, ld = data.fc1_columns(), hidden = data.hidden;
  for (int64_t i = 0; i < fc2.blocks(); ++i) {
    const auto block = fc2.block(i);
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      multiply_block(worker.operand + row * dim, dim, count, fc2, block,
                     norm_worker.gradients + row * hidden + block.begin, hidden);
    });
  }
  for (int64_t i = 0; i < chunk.rows; ++i) {
    float* const gradient = norm_worker.gradients + i * hidden;
    const Tile tile{gradient, hidden, 1, hidden};
    const T* const from = saved + (chunk.first + i) * ld;
    T *const to = worker.hidden + i * ld, *const normed = norm_worker.normed + i * hidden;
    // Once for the values alone: the gradient of the activation is not yet known.
    activation_backward(data, tile, from, to, normed, hidden);
    const float* values = as_floats(normed, hidden, worker.row);
    norm.add(chunk, {values, gradient, nullptr, gradient});
    normalize_row(data.inner_norm, values, hidden, normed);
    activation_backward(data, tile, from, to, worker.value, hidden);
  }
  fc2_operands.put_right(chunk, norm_worker.normed);
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
  std::vector<NormWorker<T>> norm_workers;
  for (int64_t i = 0; data.inner_norm && i < pass.threads(); ++i)
    norm_workers.emplace_back(pass, data);
  const VectorGradient fc1_bias(pass, columns), fc2_bias(pass, dim);
  const NormGradientSums norm(pass, data.branch.norm, dim),
      inner_norm(pass, data.inner_norm, data.hidden);
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
    if (data.inner_norm)
      normed_hidden_backward(data, fc2, chunk, worker, norm_workers[thread], saved, fc2_operands,
                             inner_norm);
    else
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
                       result.x.mutable_data_ptr<float>(), norm);
  });
  compute_weight_gradients<T>(pass, {fc1_operands, result.first_weight},
                              {fc2_operands, result.last_weight},
                              [&](int64_t thread) { return workers[thread].tile; });
  result.first_bias = fc1_bias.sum();
  result.last_bias = fc2_bias.sum();
  result.norm = norm.sum();
  result.inner_norm = inner_norm.sum();
  return result;
}

template void mlp_forward(const MlpData&, float*, float*);
template void mlp_forward(const MlpData&, simd::Bf16*, float*);
template BranchGradients mlp_backward(const MlpData&, const float*, const float*, bool, bool);
template BranchGradients mlp_backward(const MlpData&, const simd::Bf16*, const float*, bool, bool);

}  // namespace vit::training
