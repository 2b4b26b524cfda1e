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
      : packing(pass.arena().template take<T>(pack_scratch(3 * data.branch.dim, data.branch.dim))),
        operand(pass.arena().template take<T>(pass.chunk_rows() * data.branch.dim)),
        tile(pass.arena().template take<float>(GradientOperands<T>::kTile)),
        other_tile(pass.arena().template take<float>(kTileRows * kBlockColumns)) {}

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

/// kept = qkv(worker.operand) of a chunk, head by head.
template <typename T>
void project(const AttentionData& data, const PackedMatrix<T>& qkv, const Chunk& chunk,
             const Worker<T>& worker, T* kept, float* metric) {
  const int64_t dim = data.branch.dim, head_dim = data.head_dim();
  for (int64_t i = 0; i < qkv.blocks(); ++i) {
    const auto block = qkv.block(i);
    const int64_t group = block.begin / head_dim, column = block.begin % head_dim;
    const int64_t which = group / data.heads, head = group % data.heads;
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      const int64_t at = (chunk.first + row) * head_dim + column;
      kernels::prefetch_rows(head_rows(data, kept, which, head) + at, head_dim, count,
                             block.size());
      multiply_block(worker.operand + row * dim, dim, count, qkv, block, worker.tile, block.size());
      const Tile tile{worker.tile, block.size(), count, block.size()};
      const float* bias = data.qkv_bias + block.begin;
      simd::store(tile, bias, head_rows(data, kept, which, head) + at, head_dim);
      if (!metric || which != 1) return;
      simd::store(tile, bias, worker.other_tile, tile.ld);
      simd::accumulate({worker.other_tile, tile.ld, tile.rows, tile.cols},
                       1.0f / static_cast<float>(data.heads), head == 0, metric + at, head_dim);
    });
  }
}

}  // namespace

template <typename T>
void attention_forward(const AttentionData& data, const AttentionKept<T>& kept, float* out,
                       float* metric) {
  const int64_t dim = data.branch.dim;
  Pass pass(data.branch, row_bytes<T>(data));
  const auto qkv = take_matrix<T>(pass.arena(), dim, 3 * dim, data.head_dim());
  const auto proj = take_matrix<T>(pass.arena(), dim, dim);
  const auto workers = take_workers<T>(pass, data);
  std::vector<kernels::HeadScratch<T>> scratch;
  for (int64_t i = 0; i < pass.threads(); ++i)
    scratch.emplace_back(pass.arena(), data.branch.tokens, data.head_dim());

  pass.each_thread([&](int64_t thread) {
    T* packing = workers[thread].packing;
    pack_transposed(data.qkv_weight, qkv, pass.share(qkv.blocks(), thread), packing);
    pack_transposed(data.proj_weight, proj, pass.share(proj.blocks(), thread), packing);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    normalize(data.branch, chunk, worker.operand);
    project(data, qkv, chunk, worker, kept.heads, metric);
  });
  pass.each_unit(data.branch.samples * data.heads, [&](int64_t unit, int64_t thread) {
    const int64_t sample = unit / data.heads, head = unit % data.heads;
    kernels::attend(head_of(data, kept.heads, sample, head), scratch[thread],
                    kept.attended + sample * data.branch.tokens * dim + head * data.head_dim(),
                    dim);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    add_to_tokens(data.branch, pass, chunk, kept.attended + chunk.first * dim, proj, data.proj_bias,
                  workers[thread].tile, out);
  });
}

template <typename T>
BranchGradients attention_backward(const AttentionData& data, const AttentionKept<T>& kept,
                                      const float* gradient, bool wants_qkv, bool wants_proj) {
  const int64_t dim = data.branch.dim, columns = 3 * dim, head_dim = data.head_dim();
  Pass pass(data.branch, row_bytes<T>(data));
  auto& arena = pass.arena();
  const auto qkv = take_matrix<T>(arena, columns, dim);
  const auto proj = take_matrix<T>(arena, dim, dim);
  GradientOperands<T> qkv_operands(arena, pass.chunks(), columns, dim);
  GradientOperands<T> proj_operands(arena, pass.chunks(), dim, dim);
  T* dattended = arena.template take<T>(data.branch.rows() * dim);
  T* dqkv = arena.template take<T>(data.branch.rows() * columns);
  const auto workers = take_workers<T>(pass, data);
  std::vector<HeadGradientScratch<T>> scratch;
  std::vector<float*> sums;  // [chunk_rows, dim] of each thread
  for (int64_t i = 0; i < pass.threads(); ++i) {
    scratch.emplace_back(arena, data.branch.tokens, head_dim);
    sums.push_back(arena.template take<float>(pass.chunk_rows() * dim));
  }
  const VectorGradient qkv_bias(pass, columns), proj_bias(pass, dim), norm_weight(pass, dim),
      norm_bias(pass, dim);
  BranchGradients result;
  result.x = at::empty({data.branch.samples, data.branch.tokens, dim}, at::kFloat);
  if (wants_qkv) result.first_weight = at::empty({columns, dim}, at::kFloat);
  if (wants_proj) result.last_weight = at::empty({dim, dim}, at::kFloat);

  pass.each_thread([&](int64_t thread) {
    T* packing = workers[thread].packing;
    pack_weight(data.qkv_weight, nullptr, qkv, pass.share(qkv.blocks(), thread), packing);
    pack_weight(data.proj_weight, data.branch.gamma, proj, pass.share(proj.blocks(), thread),
                packing);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    narrow_gradient(data.branch, pass, chunk, gradient, worker.operand);
    simd::sum_rows(worker.operand, dim, chunk.rows, dim, proj_bias.of(chunk));
    proj_operands.put_left(chunk, worker.operand);
    proj_operands.put_right(chunk, kept.attended + chunk.first * dim);
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
        head_of(data, kept.heads, sample, head), scratch[thread],
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

template void attention_forward(const AttentionData&, const AttentionKept<float>&, float*, float*);
template void attention_forward(const AttentionData&, const AttentionKept<simd::Bf16>&, float*,
                                float*);
template BranchGradients attention_backward(const AttentionData&, const AttentionKept<float>&,
                                               const float*, bool, bool);
template BranchGradients attention_backward(const AttentionData&,
                                               const AttentionKept<simd::Bf16>&, const float*, bool,
                                               bool);

}  // namespace vit::training
