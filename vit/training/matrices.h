#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include <vit/kernels/column_blocks.h>
#include <vit/kernels/product.h>
#include <vit/kernels/range.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/workspace.h>
#include <vit/training/chunks.h>

// Matrix products of the fused branches. `T` is what they multiply: float or simd::Bf16. Sums are
// float. All dimensions but rows are multiples of simd::kPad.

namespace vit::training {

template <typename T>
constexpr kernels::Math kMath = sizeof(T) == sizeof(float) ? kernels::Math::fp32
                                                           : kernels::Math::bf16;

/// Zeros for layers without bias and for tiles that get none.
constexpr float kNoBias[kernels::kBlockColumns] = {};

/// The right-hand side [inner, columns] of a product as kernels::multiply() reads it, in memory of
/// a pass.
template <typename T>
struct PackedMatrix {
  T* data;
  int64_t inner;
  kernels::ColumnBlocks cut;

  int64_t blocks_per_group() const { return cut.blocks_per_group(); }
  int64_t blocks() const { return cut.count(); }
  /// Columns of a block.
  kernels::Range block(int64_t index) const { return cut.block(index); }
  T* at(kernels::Range block) const { return data + block.begin * inner; }
};

template <typename T>
PackedMatrix<T> take_matrix(kernels::Workspace& workspace, int64_t inner, int64_t columns,
                            int64_t group = 0) {
  const int64_t group_columns = group ? group : columns;
  return {workspace.take<T>(inner * columns), inner, {columns / group_columns, group_columns}};
}

/// tile [rows, block] = a [rows, inner] times a block of `b`; the tile's rows lie `ld` apart.
template <typename T>
void multiply_block(const T* a, int64_t lda, int64_t rows, const PackedMatrix<T>& b,
                    kernels::Range block, float* tile, int64_t ld) {
  kernels::multiply(kMath<T>, rows, block.size(), b.inner, a, lda, b.at(block), tile, ld);
}

/// Numbers of scratch memory that pack_weight() needs for `weight` [out, in].
inline int64_t pack_scratch(int64_t out, int64_t in) {
  return std::max(out, in) * kernels::kBlockColumns;
}

/// Packs one thread's share of the transpose of `weight` [out, in], which rows of inputs are
/// multiplied with.
template <typename T>
void pack_transposed(const float* weight, const PackedMatrix<T>& to, kernels::Range blocks,
                     T* scratch);

/// Packs one thread's share of `weight` [out, in] itself, which gradients of outputs are multiplied
/// with. Row i is taken times factors[i]; null for no factors.
template <typename T>
void pack_weight(const float* weight, const float* factors, const PackedMatrix<T>& to,
                 kernels::Range blocks, T* scratch);

/// The operands of a weight gradient left^T right, which sums over all rows of a batch. They are
/// filled chunk by chunk: left transposed, right packed.
template <typename T>
class GradientOperands {
 public:
  GradientOperands(kernels::Workspace& workspace, const RowChunks& chunks, int64_t left_columns,
                   int64_t right_columns)
      : left_columns_(left_columns),
        right_columns_(right_columns),
        left_(workspace.take<T>(chunks.padded_rows() * left_columns)),
        right_(workspace.take<T>(chunks.padded_rows() * right_columns)) {}

  /// Columns from `column` on of the left operand, rows `ld` apart.
  void put_left(const Chunk& chunk, int64_t column, int64_t columns, const T* x, int64_t ld);
  /// All of them.
  void put_left(const Chunk& chunk, const T* x) {
    put_left(chunk, 0, left_columns_, x, left_columns_);
  }
  /// Columns of the right operand, from `column` on, a multiple of kBlockColumns; `row` and `rows`
  /// of the chunk, `row` a multiple of simd::kPad.
  void put_right(const Chunk& chunk, int64_t column, int64_t columns, int64_t row, int64_t rows,
                 const T* x, int64_t ld);
  void put_right(const Chunk& chunk, const T* x) {
    put_right(chunk, 0, right_columns_, 0, chunk.rows, x, right_columns_);
  }
  /// The same for one block of columns that make(to) writes as [rows, columns]: in their place if
  /// rows lie there as they come, else to `scratch` first.
  template <typename F>
  void make_right(const Chunk& chunk, int64_t column, int64_t columns, int64_t row, int64_t rows,
                  T* scratch, const F& make) {
    if constexpr (std::is_same_v<T, float>) {
      T* to = right_rows(chunk, column, columns, row);
      make(to);
      std::fill(to + rows * columns, to + simd::round_up(rows) * columns, 0.0f);
    } else {
      make(scratch);
      put_right(chunk, column, columns, row, rows, scratch, columns);
    }
  }

  /// Tiles of the product.
  int64_t tiles() const { return tall() * wide(); }
  /// Computes one of them in `tile` and writes it to out [left columns, right columns].
  void multiply(const RowChunks& chunks, int64_t index, float* tile, float* out) const;

  static constexpr int64_t kTileRows = 128;
  /// Numbers of `tile`.
  static constexpr int64_t kTile = kTileRows * kernels::kBlockColumns;

 private:
  /// Where rows of a block of columns are.
  T* right_rows(const Chunk& chunk, int64_t column, int64_t columns, int64_t row) {
    return right_ + chunk.start * right_columns_ + column * chunk.padded + row * columns;
  }
  int64_t tall() const { return (left_columns_ + kTileRows - 1) / kTileRows; }
  int64_t wide() const {
    return (right_columns_ + kernels::kBlockColumns - 1) / kernels::kBlockColumns;
  }

  int64_t left_columns_;
  int64_t right_columns_;
  T* left_;   // by chunk: [left columns, padded]
  T* right_;  // by chunk: blocks of columns as multiply() reads them
};

}  // namespace vit::training
