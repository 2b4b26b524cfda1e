#pragma once

#include <algorithm>
#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/kernels/arena.h>
#include <vit/kernels/threads.h>
#include <vit/training/chunks.h>
#include <vit/training/matrices.h>

// What the two fused branches of a block share. `T` is what they multiply and keep: float or
// simd::Bf16.

namespace vit::training {

/// Rows of a product: its result stays in the first-level cache until it is used.
constexpr int64_t kTileRows = 64;

/// The tokens that a branch reads, and what is done to them before and after its layers.
struct BranchData {
  const float* x;  ///< [samples, tokens, dim]
  int64_t samples;
  int64_t tokens;
  int64_t dim;
  const float* norm_weight;
  const float* norm_bias;
  float eps;
  const float* gamma;         ///< [dim] layer scale; null for none
  const float* path_factors;  ///< [samples] that what the branch adds is taken times; null for ones

  int64_t rows() const { return samples * tokens; }
};

/// Threads, scratch memory and chunks of rows for one pass over a branch.
class Pass {
 public:
  /// `row_bytes`: what a row becomes on its way through the layers.
  Pass(const BranchData& data, int64_t row_bytes);

  kernels::Arena& arena() { return *loan_; }
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
  template <typename F>
  void each_chunk(int64_t thread, const F& work) const {
    const auto share = chunks_.of_thread(thread);
    for (int64_t i = share.begin; i < share.end; ++i) work(chunks_[i]);
  }
  kernels::Share share(int64_t total, int64_t thread) const {
    return kernels::share_of(total, thread, threads_);
  }

 private:
  kernels::ArenaPool::Loan loan_;
  int64_t threads_;
  int64_t chunk_rows_;
  RowChunks chunks_;
  float* factors_ = nullptr;
};

/// Runs `work` on the tiles of `rows` rows: their first row, and how many they have.
template <typename F>
void each_tile(int64_t rows, const F& work) {
  for (int64_t row = 0; row < rows; row += kTileRows) work(row, std::min(kTileRows, rows - row));
}

/// Layer norm of the tokens of a chunk -> [rows, dim].
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

/// Backward pass of normalize() and of the residual connection: `dnormed` [rows, dim] of the chunk
/// and `gradient` of all tokens -> `dx` of all tokens. Adds to the gradients of the norm.
void normalize_backward(const BranchData& data, const Chunk& chunk, const float* dnormed,
                        const float* gradient, float* dx, float* dweight, float* dbias);

/// The gradient of a vector of parameters, for each thread a row of its own.
class VectorGradient {
 public:
  VectorGradient(const Pass& pass, int64_t size);
  float* of_thread(int64_t thread) const;
  at::Tensor sum() const;

 private:
  at::Tensor rows_;  // [threads, size]
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
