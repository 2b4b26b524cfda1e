#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/kernels/encoder_worker.h>
#include <vit/kernels/kernel_block.h>
#include <vit/kernels/packed_linear.h>
#include <vit/kernels/packed_norm.h>
#include <vit/kernels/product.h>
#include <vit/kernels/range.h>

namespace vit::kernels {

/// Norms and linear layers of one block of rows, as many as a worker holds, with what comes before
/// and after them: quantizing, biases, activations, residuals. `T` is as in Worker. Rows of x are
/// padded.
template <typename T>
class RowLayers {
 public:
  /// `hidden_columns`: what fc2 reads, padded.
  RowLayers(const KernelBlock& block, Math math, int64_t hidden_columns);

  int64_t columns() const { return columns_; }  ///< of x, padded
  int64_t hidden_columns() const { return hidden_columns_; }
  bool quantizes() const { return quantizes_; }

  /// The norm of rows of x as the input of a linear layer. `exact`: leaves it unquantized in
  /// worker.operand too, and for bfloat16 what rounding took from it in worker.rest.
  Operand normalized(const float* x, int64_t rows, const PackedNorm& norm, Worker<T>& worker,
                     bool exact = false) const;

  /// Rows [rows, columns] that the heads gave as the input of proj, or that fc1 gave as the input
  /// of fc2. A norm before it takes their place, unless they are quantized.
  Operand attended(T* rows_of, int64_t rows, const PackedNorm& norm, Worker<T>& worker) const {
    return inner_operand(rows_of, rows, {block_.dim, columns_}, norm, worker);
  }
  Operand hidden(T* rows_of, int64_t rows, const PackedNorm& norm, Worker<T>& worker) const {
    return inner_operand(rows_of, rows, {block_.hidden_dim, hidden_columns_}, norm, worker);
  }

  /// What one of these gave of `from`, or normalized() if that is worker.operand.
  Operand operand_of(const T* from, int64_t columns, const Worker<T>& worker) const;

  /// x += gamma * linear(operand) in the columns of `blocks`; `gamma` may be undefined.
  void add_linear(const PackedLinear& linear, const Operand& operand, const at::Tensor& gamma,
                  float* x, int64_t rows, Range blocks, Worker<T>& worker) const;

  /// act(fc1(operand)), or its gated form, -> `hidden` [rows, hidden_columns] in the columns of
  /// `blocks`.
  void activate(const PackedLinear& fc1, const Operand& operand, int64_t rows, Range blocks,
                T* hidden, Worker<T>& worker) const;

 private:
  struct Width {
    int64_t dim;
    int64_t columns;  // padded
  };
  Operand inner_operand(T* x, int64_t rows, Width width, const PackedNorm& norm,
                        Worker<T>& worker) const;

  const KernelBlock block_;
  const int64_t columns_, hidden_columns_;
  const bool quantizes_;
};

}  // namespace vit::kernels
