#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/threads.h>
#include <vit/kernels/tile_rows.h>
#include <vit/kernels/workspace.h>
#include <vit/training/chunks.h>
#include <vit/training/matrices.h>
#include <vit/training/norm_rows.h>
#include <vit/training/work_stealing.h>

// What the two fused branches of a block share. `T` is what they multiply and save: float or
// simd::Bf16.

namespace vit::training {

using kernels::each_tile;
using kernels::kTileRows;

/// The tokens that a branch reads, and what is done to them before and after its layers.
struct BranchData {
  const float* x;  ///< [samples, tokens, dim]
  int64_t samples;
  int64_t tokens;
  int64_t dim;
  NormData norm;
  const float* gamma;         ///< [dim] layer scale; null for none
  const float* path_factors;  ///< [samples] that what the branch adds is taken times; null for ones

  int64_t rows() const { return samples * tokens; }
};

/// Threads, scratch memory and chunks of rows for one pass over a branch.
class Pass {
 public:
  /// `row_bytes`: what a row becomes on its way through the layers.
  Pass(const BranchData& data, int64_t row_bytes);

  kernels::Workspace& workspace() { return *loan_; }
  int64_t threads() const { return threads_; }
  const RowChunks& chunks() const { return chunks_; }
  /// Rows of the largest chunk, padded.
  int64_t chunk_rows() const { return chunk_rows_; }
  /// BranchData::path_factors for rows from `row` on.
  const float* row_factors(int64_t row) const { return factors_ ? factors_ + row : nullptr; }

  template <typename F>
  void each_thread(const F& work) const {
    kernels::on_threads(threads_, work);
  }
  /// Runs work(unit, thread) for all units below `count`.
  template <typename F>
  void each_unit(int64_t count, const F& work) const {
    std::vector<kernels::Range> parts;
    for (int64_t i = 0; i < threads_; ++i) parts.push_back(part(count, i));
    each_of(parts, work);
  }
  /// Runs work(chunk, thread) for all chunks.
  template <typename F>
  void each_chunk(const F& work) const {
    each_of(chunks_.shares(), [&](int64_t i, int64_t thread) { work(chunks_[i], thread); });
  }
  kernels::Range part(int64_t total, int64_t thread) const {
    return kernels::part_of(total, thread, threads_);
  }

 private:
  template <typename F>
  void each_of(const std::vector<kernels::Range>& parts, const F& work) const {
    WorkStealing shared(parts);
    each_thread(
        [&](int64_t thread) { shared.run(thread, [&](int64_t unit) { work(unit, thread); }); });
  }

  kernels::WorkspacePool::Loan loan_;
  int64_t threads_;
  int64_t chunk_rows_;
  RowChunks chunks_;
  float* factors_ = nullptr;
};

/// The norm of the tokens of a chunk -> [rows, dim].
template <typename T>
void normalize(const BranchData& data, const Chunk& chunk, T* out);

/// out = x + what the branch's last layer makes of `operand` [rows, layer.inner], for a chunk.
template <typename T>
void add_to_tokens(const BranchData& data, const Pass& pass, const Chunk& chunk, const T* operand,
                   const PackedMatrix<T>& layer, const float* bias, float* tile, float* out);

/// The gradient of what is added to the tokens of a chunk, before layer scale -> [rows, dim].
template <typename T>
void narrow_gradient(const BranchData& data, const Pass& pass, const Chunk& chunk,
                     const float* gradient, T* out);

/// The gradient of a vector of parameters, for each chunk a row of its own.
class VectorGradient {
 public:
  VectorGradient(const Pass& pass, int64_t size);
  float* of(const Chunk& chunk) const;
  at::Tensor sum() const;

 private:
  at::Tensor rows_;  // [chunks, size]
};

/// The gradients of a norm's parameters; undefined where there is no such norm, or no bias.
struct NormGradients {
  at::Tensor weight, bias;
};

/// Adds them up.
class NormGradientSums {
 public:
  NormGradientSums(const Pass& pass, const NormData& norm, int64_t dim);
  /// The backward pass for a row of the chunk.
  void add(const Chunk& chunk, const simd::NormRow& row) const;
  NormGradients sum() const;

 private:
  NormData norm_;
  int64_t dim_;
  std::optional<VectorGradient> weight_, bias_;
};

/// Backward pass of normalize() and of the residual connection: `dnormed` [rows, dim] of the chunk
/// and `gradient` of all tokens -> `dx` of all tokens. Adds to the gradients of the norm.
void normalize_backward(const BranchData& data, const Chunk& chunk, const float* dnormed,
                        const float* gradient, float* dx, const NormGradientSums& norm);

/// The gradient of a layer's weights [out, in], undefined where nobody wants it.
template <typename T>
struct WeightGradient {
  const GradientOperands<T>& operands;
  const at::Tensor& out;

  int64_t tiles() const { return out.defined() ? operands.tiles() : 0; }
};

/// Computes the weight gradients of a branch's first and last layer. `tile_of` gives a thread's
/// GradientOperands::kTile numbers.
template <typename T, typename TileOf>
void compute_weight_gradients(const Pass& pass, const WeightGradient<T>& first,
                              const WeightGradient<T>& last, const TileOf& tile_of) {
  pass.each_unit(first.tiles() + last.tiles(), [&](int64_t unit, int64_t thread) {
    const bool is_first = unit < first.tiles();
    const auto& gradient = is_first ? first : last;
    gradient.operands.multiply(pass.chunks(), is_first ? unit : unit - first.tiles(),
                               tile_of(thread), gradient.out.template mutable_data_ptr<float>());
  });
}

/// The gradients of a branch's parameters and tokens. The first layer is qkv or fc1, the last one
/// proj or fc2, whose gradients are those of a layer without layer scale.
struct BranchGradients {
  at::Tensor x;
  NormGradients norm;
  NormGradients inner_norm;      ///< before the last layer
  NormGradients q_norm, k_norm;  ///< of attention
  at::Tensor first_weight, first_bias, last_weight, last_bias;
};

/// The gradients of a branch's last layer and layer scale, where there is one, from those of a
/// layer without: y = weight a + bias becomes gamma y. Where nobody wants `dweight`, it is
/// undefined.
struct LastLayerGradients {
  at::Tensor weight, bias, gamma;
};
LastLayerGradients scaled_layer_gradients(const at::Tensor& weight, const at::Tensor& bias,
                                          const at::Tensor& gamma, const at::Tensor& dweight,
                                          const at::Tensor& dbias);

}  // namespace vit::training
