#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/column_blocks.h>
#include <vit/kernels/product.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

/// Rows that a linear layer reads: [count, ld], in the element type of its Math.
struct Operand {
  const void* data;
  int64_t ld;
  const simd::Quantized* scales = nullptr;  ///< of each row, for int8
};

/// The weights of a linear layer, laid out once for multiply().
///
/// Its outputs come in `groups` of equal size (the heads of q, k and v; the two halves of a gated
/// MLP), each padded to a multiple of simd::kPad columns of zeros, and each cut into blocks of at
/// most kBlockColumns columns.
class PackedLinear {
 public:
  struct Block {
    int64_t column;  ///< first padded column
    int64_t width;
    int64_t offset;  ///< bytes from the start of the packed weights
  };

  PackedLinear() = default;
  /// `weight` [out, in], `bias` [out] or undefined, both of any floating point type on the CPU.
  PackedLinear(const at::Tensor& weight, const at::Tensor& bias, Math math, int64_t groups = 1)
      : PackedLinear(weight, bias, math, groups, {}) {}
  /// The same in the memory of one that is not needed any more, if that has the size.
  PackedLinear(const at::Tensor& weight, const at::Tensor& bias, Math math, int64_t groups,
               PackedLinear memory);

  int64_t inner() const { return inner_; }            ///< padded inputs
  int64_t columns() const { return cut_.columns(); }  ///< padded outputs
  int64_t group_columns() const { return cut_.group_columns; }
  int64_t blocks_per_group() const { return cut_.blocks_per_group(); }
  const Block& block(int64_t index) const { return blocks_[index]; }
  const float* bias() const { return bias_.const_data_ptr<float>(); }  ///< [columns]
  int64_t nbytes() const { return static_cast<int64_t>(weights_.nbytes()); }

  /// The sums of `rows` rows of `a` from `first` on for one block, without bias, in rows of `to`
  /// that are `ld` apart; `add`: added to what is there, but not for int8.
  simd::Tile multiply_block(const Block& block, const Operand& a, int64_t first, int64_t rows,
                            float* to, int64_t ld, bool add = false) const;

 private:
  /// The weights [n, inputs] of its first columns; the others become zero.
  void pack_block(const Block& block, const at::Tensor& rows);

  Math math_ = Math::fp32;
  int64_t inner_ = 0;
  ColumnBlocks cut_;
  std::vector<Block> blocks_;
  at::Tensor weights_;  // bytes
  at::Tensor bias_;     // float [columns]
  at::Tensor scales_;   // int8: float [columns]
  at::Tensor sums_;     // int8: float [columns], of the quantized weights
};

/// `x` as float32, padded with zeros at the end to a multiple of simd::kPad; zeros [size] if it is
/// undefined.
at::Tensor padded_vector(const at::Tensor& x, int64_t size);

}  // namespace vit::kernels
