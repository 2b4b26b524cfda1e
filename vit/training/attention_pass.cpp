#include <algorithm>
#include <cmath>
#include <utility>
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
  return (data.branch.dim + data.columns()) * static_cast<int64_t>(sizeof(T));
}

/// Scratch memory of one thread.
template <typename T>
struct Worker {
  Worker(Pass& pass, const AttentionData& data)
      : packing(pass.workspace().template take<T>(pack_scratch(data.columns(), data.branch.dim))),
        operand(pass.workspace().template take<T>(pass.chunk_rows() * data.branch.dim)),
        normed(data.inner_norm
                   ? pass.workspace().template take<T>(pass.chunk_rows() * data.branch.dim)
                   : nullptr),
        row(pass.workspace().template take<float>(data.branch.dim)),
        other_row(pass.workspace().template take<float>(data.branch.dim)),
        tile(pass.workspace().template take<float>(GradientOperands<T>::kTile)),
        other_tile(pass.workspace().template take<float>(kTileRows * kBlockColumns)) {}

  T* packing;
  T* operand;  ///< [chunk_rows, dim]
  T* normed;   ///< likewise, of inner_norm; null without
  float* row;  ///< [dim]
  float* other_row;
  float* tile;
  float* other_tile;
};

template <typename T>
std::vector<Worker<T>> take_workers(Pass& pass, const AttentionData& data) {
  std::vector<Worker<T>> workers;
  for (int64_t i = 0; i < pass.threads(); ++i) workers.emplace_back(pass, data);
  return workers;
}

/// Rows of one head; the heads of q come first, then those of k and of v.
template <typename T>
T* head_rows(const AttentionData& data, T* heads, int64_t head) {
  return heads + head * data.branch.rows() * data.head_dim();
}

template <typename T>
kernels::Head<T> head_of(const AttentionData& data, T* heads, int64_t sample, int64_t head) {
  const int64_t tokens = data.branch.tokens, dim = data.head_dim();
  const int64_t from = sample * tokens * dim;
  const int64_t kv_head = head / (data.heads / data.kv_heads);
  kernels::Head<T> result;
  result.q = head_rows(data, heads, head) + from;
  result.k = head_rows(data, heads, data.heads + kv_head) + from;
  result.v = head_rows(data, heads, data.compared() + kv_head) + from;
  result.tokens = tokens;
  result.columns = result.dim = dim;
  result.scale = 1.0f / std::sqrt(static_cast<float>(dim));
  result.bias = data.key_bias ? data.key_bias + sample * simd::round_up(tokens) : nullptr;
  return result;
}

/// out = a row of a head of q or k, rotated; `row` counts those of all samples.
template <typename T>
void rotate_row(const AttentionData& data, int64_t row, int64_t head, const float* x, T* out) {
  const auto& r = data.rotation;
  const int64_t tokens = data.branch.tokens, dim = data.head_dim();
  const int64_t of_kind = head < data.heads ? head : head - data.heads;
  const int64_t at =
      row / tokens * r.sample_step + of_kind * r.head_step + row % tokens * r.token_step;
  simd::rotate({x, dim, 1, dim}, {r.table + at, r.token_step, r.padded, r.angles, r.pairs}, out,
               dim);
}

/// saved = qkv(worker.operand) of a chunk, head by head, q and k not yet normed and rotated. Adds
/// keys that stay as they are to the metric.
template <typename T>
void project(const AttentionData& data, const PackedMatrix<T>& qkv, const Chunk& chunk,
             const Worker<T>& worker, const SavedAttention<T>& saved, float* metric) {
  const int64_t dim = data.branch.dim, head_dim = data.head_dim();
  for (int64_t i = 0; i < qkv.blocks(); ++i) {
    const auto block = qkv.block(i);
    const int64_t head = block.begin / head_dim, column = block.begin % head_dim;
    const bool is_normed = saved.unnormed && head < data.compared();
    T* const to = head_rows(data, is_normed ? saved.unnormed : saved.heads, head);
    const bool is_metric = metric && !data.k_norm && head >= data.heads && head < data.compared();
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      const int64_t at = (chunk.first + row) * head_dim + column;
      kernels::prefetch_rows(to + at, head_dim, count, block.size());
      multiply_block(worker.operand + row * dim, dim, count, qkv, block, worker.tile, block.size());
      const Tile tile{worker.tile, block.size(), count, block.size()};
      const float* bias = data.qkv_bias + block.begin;
      simd::store(tile, bias, to + at, head_dim);
      if (!is_metric) return;
      simd::store(tile, bias, worker.other_tile, tile.ld);
      simd::accumulate({worker.other_tile, tile.ld, tile.rows, tile.cols},
                       1.0f / static_cast<float>(data.kv_heads), head == data.heads, metric + at,
                       head_dim);
    });
  }
}

/// Norms and rotates the queries and keys of a chunk. Adds normed keys to the metric.
template <typename T>
void finish_heads(const AttentionData& data, const Chunk& chunk, const Worker<T>& worker,
                  const SavedAttention<T>& saved, float* metric) {
  if (!saved.unnormed && !data.rotation) return;
  const int64_t dim = data.head_dim();
  float* const x = worker.row;
  for (int64_t head = 0; head < data.compared(); ++head) {
    const bool is_key = head >= data.heads;
    for (int64_t row = chunk.first; row < chunk.first + chunk.rows; ++row) {
      T* const to = head_rows(data, saved.heads, head) + row * dim;
      put_row(saved.unnormed ? head_rows(data, saved.unnormed, head) + row * dim : to, dim, x);
      if (saved.unnormed) {
        normalize_row(is_key ? data.k_norm : data.q_norm, x, dim, x);
        if (is_key && metric)
          simd::accumulate({x, dim, 1, dim}, 1.0f / static_cast<float>(data.kv_heads),
                           head == data.heads, metric + row * dim, dim);
      }
      if (data.rotation)
        rotate_row(data, row, head, x, to);
      else
        put_row(x, dim, to);
    }
  }
}

/// Backward pass of finish_heads(), in place: the gradients of the chunk's queries and keys lie in
/// rows of data.columns() numbers.
template <typename T>
void finish_heads_backward(const AttentionData& data, const Chunk& chunk, const Worker<T>& worker,
                           const SavedAttention<T>& saved, T* gradients,
                           const NormGradientSums& q_norm, const NormGradientSums& k_norm) {
  if (!saved.unnormed && !data.rotation) return;
  const int64_t dim = data.head_dim(), columns = data.columns();
  for (int64_t i = 0; i < chunk.rows; ++i) {
    const int64_t row = chunk.first + i;
    for (int64_t head = 0; head < data.compared(); ++head) {
      T* const at = gradients + i * columns + head * dim;
      float *gradient = worker.row, *other = worker.other_row;
      put_row(at, dim, gradient);
      if (data.rotation) {
        rotate_row(data, row, head, gradient, other);
        std::swap(gradient, other);
      }
      if (saved.unnormed) {
        put_row(head_rows(data, saved.unnormed, head) + row * dim, dim, other);
        (head < data.heads ? q_norm : k_norm).add(chunk, {other, gradient, nullptr, gradient});
      }
      put_row(gradient, dim, at);
    }
  }
}

/// What proj reads of a chunk [rows, dim]: what the heads gave, or in worker.normed its norm.
template <typename T>
const T* proj_operand(const AttentionData& data, const Chunk& chunk, const Worker<T>& worker,
                      const SavedAttention<T>& saved) {
  const int64_t dim = data.branch.dim;
  const T* const attended = saved.attended + chunk.first * dim;
  if (!data.inner_norm) return attended;
  for (int64_t i = 0; i < chunk.rows; ++i)
    normalize_row(data.inner_norm, as_floats(attended + i * dim, dim, worker.row), dim,
                  worker.normed + i * dim);
  return worker.normed;
}

/// The gradient of what proj reads -> that of what the heads gave, of a chunk [rows, dim].
template <typename T>
void inner_norm_backward(const AttentionData& data, const Chunk& chunk, const Worker<T>& worker,
                         const SavedAttention<T>& saved, const float* dnormed, T* dattended,
                         const NormGradientSums& norm) {
  const int64_t dim = data.branch.dim;
  for (int64_t i = 0; i < chunk.rows; ++i) {
    const T* const attended = saved.attended + (chunk.first + i) * dim;
    const float* x = as_floats(attended, dim, worker.row);
    norm.add(chunk, {x, dnormed + i * dim, nullptr, worker.other_row});
    put_row(worker.other_row, dim, dattended + i * dim);
  }
}

}  // namespace

template <typename T>
void attention_forward(const AttentionData& data, const SavedAttention<T>& saved, float* out,
                       float* metric) {
  const int64_t dim = data.branch.dim;
  Pass pass(data.branch, row_bytes<T>(data));
  const auto qkv = take_matrix<T>(pass.workspace(), dim, data.columns(), data.head_dim());
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
    project(data, qkv, chunk, worker, saved, metric);
    finish_heads(data, chunk, worker, saved, metric);
  });
  pass.each_unit(data.branch.samples * data.heads, [&](int64_t unit, int64_t thread) {
    const int64_t sample = unit / data.heads, head = unit % data.heads;
    kernels::attend(head_of(data, saved.heads, sample, head), scratch[thread],
                    saved.attended + sample * data.branch.tokens * dim + head * data.head_dim(),
                    dim);
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    add_to_tokens(data.branch, pass, chunk, proj_operand(data, chunk, worker, saved), proj,
                  data.proj_bias, worker.tile, out);
  });
}

template <typename T>
BranchGradients attention_backward(const AttentionData& data, const SavedAttention<T>& saved,
                                   const float* gradient, bool wants_qkv, bool wants_proj) {
  const int64_t dim = data.branch.dim, columns = data.columns(), head_dim = data.head_dim();
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
  const VectorGradient qkv_bias(pass, columns), proj_bias(pass, dim);
  const NormGradientSums norm(pass, data.branch.norm, dim), inner_norm(pass, data.inner_norm, dim),
      q_norm(pass, data.q_norm, head_dim), k_norm(pass, data.k_norm, head_dim);
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
    proj_operands.put_right(chunk, proj_operand(data, chunk, worker, saved));
    T* const to = dattended + chunk.first * dim;
    for (int64_t i = 0; i < proj.blocks(); ++i) {
      const auto block = proj.block(i);
      each_tile(chunk.rows, [&](int64_t row, int64_t count) {
        const T* operand = worker.operand + row * dim;
        const int64_t at = row * dim + block.begin;
        if (data.inner_norm) {
          multiply_block(operand, dim, count, proj, block, sums[thread] + at, dim);
          return;
        }
        multiply_block(operand, dim, count, proj, block, worker.tile, block.size());
        simd::store({worker.tile, block.size(), count, block.size()}, kNoBias, to + at, dim);
      });
    }
    if (data.inner_norm)
      inner_norm_backward(data, chunk, worker, saved, sums[thread], to, inner_norm);
  });
  const int64_t shared = data.heads / data.kv_heads;
  pass.each_unit(data.branch.samples * data.kv_heads, [&](int64_t unit, int64_t thread) {
    const int64_t sample = unit / data.kv_heads, kv_head = unit % data.kv_heads;
    const int64_t row = sample * data.branch.tokens;
    T* const to = dqkv + row * columns;
    for (int64_t head = kv_head * shared; head < (kv_head + 1) * shared; ++head)
      attend_backward(
          head_of(data, saved.heads, sample, head), scratch[thread],
          {dattended + row * dim + head * head_dim, dim, to + head * head_dim,
           to + (data.heads + kv_head) * head_dim, to + (data.compared() + kv_head) * head_dim,
           columns, head == kv_head * shared, head + 1 == (kv_head + 1) * shared});
  });
  pass.each_chunk([&](const Chunk& chunk, int64_t thread) {
    const auto& worker = workers[thread];
    T* const gradients = dqkv + chunk.first * columns;
    finish_heads_backward(data, chunk, worker, saved, gradients, q_norm, k_norm);
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
                       result.x.mutable_data_ptr<float>(), norm);
  });
  compute_weight_gradients<T>(pass, {qkv_operands, result.first_weight},
                              {proj_operands, result.last_weight},
                              [&](int64_t thread) { return workers[thread].tile; });
  result.first_bias = qkv_bias.sum();
  result.last_bias = proj_bias.sum();
  result.norm = norm.sum();
  result.inner_norm = inner_norm.sum();
  result.q_norm = q_norm.sum();
  result.k_norm = k_norm.sum();
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
