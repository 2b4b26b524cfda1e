#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include <vit/kernels/head_attention.h>
#include <vit/kernels/prefetch.h>
#include <vit/training/attention_pass.h>
#include <vit/training/head_gradient.h>
#include <vit/training/simd.h>

namespace vit::training {
namespace {

using kernels::kBlockColumns;
using simd::Tile;

template <typename T>
int64_t row_bytes(const AttentionData& data) {
  return 4 * data.branch.dim * static_cast<int64_t>(sizeof(T));
}

/// Scratch memory of one thread.
template <typename T>
struct Worker {
  Worker(Pass& pass, const AttentionData& data)
      : packing(
            pass.workspace().template take<T>(pack_scratch(3 * data.branch.dim, data.branch.dim))),
        operand(pass.workspace().template take<T>(pass.chunk_rows() * data.branch.dim)),
        tile(pass.workspace().template take<float>(GradientOperands<T>::kTile)),
        other_tile(pass.workspace().template take<float>(kTileRows * kBlockColumns)) {}

  T* packing;
  T* operand;  ///< [chunk_rows, dim]
  float* tile;
  float* other_tile;
};

template <typename T>
std::vector<Worker<T>> take_workers(Pass& pass, const AttentionData& data) {
  std::vector<Worker<T>> workers;
  for (int64_t i = 0; i < pass.threads(); ++i) workers.emplace_back(pass, data);
  return workers;
}

/// Rows of one head of q (0), k (1) or v (2).
template <typename T>
T* head_rows(const AttentionData& data, T* heads, int64_t which, int64_t head) {
  return heads + (which * data.heads + head) * data.branch.rows() * data.head_dim();
}

template <typename T>
kernels::Head<T> head_of(const AttentionData& data, T* heads, int64_t sample, int64_t head) {
  const int64_t tokens = data.branch.tokens, dim = data.head_dim();
  const int64_t from = sample * tokens * dim;
  kernels::Head<T> result;
  result.q = head_rows(data, heads, 0, head) + from;
  result.k = head_rows(data, heads, 1, head) + from;
  result.v = head_rows(data, heads, 2, head) + from;
  result.tokens = tokens;
  result.columns = result.dim = dim;
  result.scale = 1.0f / std::sqrt(static_cast<float>(dim));
  result.bias = data.key_bias ? data.key_bias + sample * simd::round_up(tokens) : nullptr;
  return result;
}

/// saved = qkv(worker.operand) of a chunk, head by head.
template <typename T>
void project(const AttentionData& data, const PackedMatrix<T>& qkv, const Chunk& chunk,
             const Worker<T>& worker, T* saved, float* metric) {
  const int64_t dim = data.branch.dim, head_dim = data.head_dim();
  for (int64_t i = 0; i < qkv.blocks(); ++i) {
    const auto block = qkv.block(i);
    const int64_t group = block.begin / head_dim, column = block.begin % head_dim;
    const int64_t which = group / data.heads, head = group % data.heads;
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      const int64_t at = (chunk.first + row) * head_dim + column;
      kernels::prefetch_rows(head_rows(data, saved, which, head) + at, head_dim, count,
                             block.size());
      multiply_block(worker.operand + row * dim, dim, count, qkv, block, worker.tile, block.size());
      const Tile tile{worker.tile, block.size(), count, block.size()};
      const float* bias = data.qkv_bias + block.begin;
      simd::store(tile, bias, head_rows(data, saved, which, head) + at, head_dim);
      if (!metric || which != 1) return;
      simd::store(tile, bias, worker.other_tile, tile.ld);
      simd::accumulate({worker.other_tile, tile.ld, tile.rows, tile.cols},
                       1.0f / static_cast<float>(data.heads), head == 0, metric + at, head_dim);
    });
  }
}

}  // namespace

template <typename T>
void attention_forward(const AttentionData& data, const SavedAttention<T>& saved, float* out,
                       float* metric) {
  const int64_t dim = data.branch.dim;
  Pass pass(data.branch, row_bytes<T>(data));
  const auto qkv = take_matrix<T>(pass.workspace(), dim, 3 * dim, data.head_dim());
  const auto proj = take_matrix<T>(pass.workspace(), dim, dim);
  const auto workers = take_workers<T>(pass, data);
  std::vector<kernels::HeadScratch<T>> scratch;
  for (int64_t i = 0; i < pass.threads(); ++i)
    scratch.emplace_back(pass.workspace(), data.branch.tokens, data.head_dim());

  pass.each_thread([&](int64_t thread) {
    T* packing = workers[thread].packing;
    pack_transposed(data.qkv_weight, qkv, pass.part(qkv.blocks(), thread), packing);
    pack_transposed(data.proj_weight, proj, pass.part(proj.blocks(), thread), packing);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    normalize(data.branch, chunk, worker.operand);
    project(data, qkv, chunk, worker, saved.heads, metric);
  });
  pass.each_unit(data.branch.samples * data.heads, [&](int64_t unit, int64_t thread) {
    const int64_t sample = unit / data.heads, head = unit % data.heads;
    kernels::attend(head_of(data, saved.heads, sample, head), scratch[thread],
                    saved.attended + sample * data.branch.tokens * dim + head * data.head_dim(),
                    dim);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    add_to_tokens(data.branch, pass, chunk, saved.attended + chunk.first * dim, proj,
                  data.proj_bias, workers[thread].tile, out);
  });
}

template <typename T>
BranchGradients attention_backward(const AttentionData& data, const SavedAttention<T>& saved,
                                   const float* gradient, bool wants_qkv, bool wants_proj) {
  const int64_t dim = data.branch.dim, columns = 3 * dim, head_dim = data.head_dim();
  Pass pass(data.branch, row_bytes<T>(data));
  auto& workspace = pass.workspace();
  const auto qkv = take_matrix<T>(workspace, columns, dim);
  const auto proj = take_matrix<T>(workspace, dim, dim);
  GradientOperands<T> qkv_operands(workspace, pass.chunks(), columns, dim);
  GradientOperands<T> proj_operands(workspace, pass.chunks(), dim, dim);
  T* dattended = workspace.template take<T>(data.branch.rows() * dim);
  T* dqkv = workspace.template take<T>(data.branch.rows() * columns);
  const auto workers = take_workers<T>(pass, data);
  std::vector<HeadGradientScratch<T>> scratch;
  std::vector<float*> sums;  // [chunk_rows, dim] of each thread
  for (int64_t i = 0; i < pass.threads(); ++i) {
    scratch.emplace_back(workspace, data.branch.tokens, head_dim);
    sums.push_back(workspace.template take<float>(pass.chunk_rows() * dim));
  }
  const VectorGradient qkv_bias(pass, columns), proj_bias(pass, dim), norm_weight(pass, dim),
      norm_bias(pass, dim);
  BranchGradients result;
  result.x = at::empty({data.branch.samples, data.branch.tokens, dim}, at::kFloat);
  if (wants_qkv) result.first_weight = at::empty({columns, dim}, at::kFloat);
  if (wants_proj) result.last_weight = at::empty({dim, dim}, at::kFloat);

  pass.each_thread([&](int64_t thread) {
    T* packing = workers[thread].packing;
    pack_weight(data.qkv_weight, nullptr, qkv, pass.part(qkv.blocks(), thread), packing);
    pack_weight(data.proj_weight, data.branch.gamma, proj, pass.part(proj.blocks(), thread),
                packing);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    narrow_gradient(data.branch, pass, chunk, gradient, worker.operand);
    simd::sum_rows(worker.operand, dim, chunk.rows, dim, proj_bias.of(chunk));
    proj_operands.put_left(chunk, worker.operand);
    proj_operands.put_right(chunk, saved.attended + chunk.first * dim);
    for (int64_t i = 0; i < proj.blocks(); ++i) {
      const auto block = proj.block(i);
      each_tile(chunk.rows, [&](int64_t row, int64_t count) {
        multiply_block(worker.operand + row * dim, dim, count, proj, block, worker.tile,
                       block.size());
        simd::store({worker.tile, block.size(), count, block.size()}, kNoBias,
                    dattended + (chunk.first + row) * dim + block.begin, dim);
      });
    }
  });
  pass.each_unit(data.branch.samples * data.heads, [&](int64_t unit, int64_t thread) {
    const int64_t sample = unit / data.heads, head = unit % data.heads;
    const int64_t row = sample * data.branch.tokens;
    T* to = dqkv + row * columns + head * head_dim;
    attend_backward(
        head_of(data, saved.heads, sample, head), scratch[thread],
        {dattended + row * dim + head * head_dim, dim, to, to + dim, to + 2 * dim, columns});
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    const T* gradients = dqkv + chunk.first * columns;
    simd::sum_rows(gradients, columns, chunk.rows, columns, qkv_bias.of(chunk));
    qkv_operands.put_left(chunk, gradients);
    normalize(data.branch, chunk, worker.operand);
    qkv_operands.put_right(chunk, worker.operand);
    for (int64_t i = 0; i < qkv.blocks(); ++i) {
      const auto block = qkv.block(i);
      each_tile(chunk.rows, [&](int64_t row, int64_t count) {
        multiply_block(gradients + row * columns, columns, count, qkv, block,
                       sums[thread] + row * dim + block.begin, dim);
      });
    }
    normalize_backward(data.branch, chunk, sums[thread], gradient,
                       result.x.mutable_data_ptr<float>(), norm_weight.of(chunk),
                       norm_bias.of(chunk));
  });
  compute_weight_gradients<T>(pass, {qkv_operands, result.first_weight},
                              {proj_operands, result.last_weight},
                              [&](int64_t thread) { return workers[thread].tile; });
  result.first_bias = qkv_bias.sum();
  result.last_bias = proj_bias.sum();
  result.norm_weight = norm_weight.sum();
  result.norm_bias = norm_bias.sum();
  return result;
}

template void attention_forward(const AttentionData&, const SavedAttention<float>&, float*, float*);
template void attention_forward(const AttentionData&, const SavedAttention<simd::Bf16>&, float*,
                                float*);
template BranchGradients attention_backward(const AttentionData&, const SavedAttention<float>&,
                                            const float*, bool, bool);
template BranchGradients attention_backward(const AttentionData&, const SavedAttention<simd::Bf16>&,
                                            const float*, bool, bool);

}  // namespace vit::training
