#include <type_traits>

#include <vit/training/matrices.h>
#include <vit/training/simd.h>

namespace vit::training {

using kernels::kBlockColumns;
using kernels::Range;

template <typename T>
void pack_transposed(const float* weight, const PackedMatrix<T>& to, Range blocks, T* scratch) {
  for (int64_t i = blocks.begin; i < blocks.end; ++i) {
    const Range block = to.block(i);
    const float* rows = weight + block.begin * to.inner;
    const T* from = nullptr;
    if constexpr (std::is_same_v<T, float>) {
      from = rows;
    } else {
      simd::to_bf16(rows, block.size() * to.inner, scratch);
      from = scratch;
    }
    simd::pack_keys(from, block.size(), block.size(), to.inner, kBlockColumns, to.at(block));
  }
}

template <typename T>
void pack_weight(const float* weight, const float* factors, const PackedMatrix<T>& to, Range blocks,
                 T* scratch) {
  for (int64_t i = blocks.begin; i < blocks.end; ++i) {
    const Range block = to.block(i);
    const simd::Tile tile{weight + block.begin, to.cut.columns(), to.inner, block.size()};
    if (factors)
      simd::scale_rows(tile, factors, scratch, block.size());
    else
      simd::store(tile, kNoBias, scratch, block.size());
    simd::pack_values(scratch, to.inner, to.inner, block.size(), 0, block.size(), to.at(block));
  }
}

template <typename T>
void GradientOperands<T>::put_left(const Chunk& chunk, int64_t column, int64_t columns, const T* x,
                                   int64_t ld) {
  T* to = left_ + chunk.start * left_columns_ + column * chunk.padded;
  simd::transpose(x, ld, chunk.rows, chunk.padded, columns, to, chunk.padded);
}

template <typename T>
void GradientOperands<T>::put_right(const Chunk& chunk, int64_t column, int64_t columns,
                                    int64_t row, int64_t rows, const T* x, int64_t ld) {
  for (int64_t done = 0; done < columns; done += kBlockColumns) {
    const int64_t width = std::min(kBlockColumns, columns - done);
    simd::pack_values(x, rows, simd::round_up(rows), ld, done, width,
                      right_rows(chunk, column + done, width, row));
  }
}

template <typename T>
void GradientOperands<T>::multiply(const RowChunks& chunks, int64_t index, float* tile,
                                   float* out) const {
  // Whatever is smaller streams by for each tile of the other.
  const bool by_left = left_columns_ >= right_columns_;
  const int64_t row = (by_left ? index / wide() : index % tall()) * kTileRows;
  const int64_t column = (by_left ? index % wide() : index / tall()) * kBlockColumns;
  const int64_t rows = std::min(kTileRows, left_columns_ - row);
  const int64_t width = std::min(kBlockColumns, right_columns_ - column);
  for (int64_t i = 0; i < chunks.size(); ++i) {
    const Chunk& chunk = chunks[i];
    kernels::multiply(kMath<T>, rows, width, chunk.padded,
                      left_ + chunk.start * left_columns_ + row * chunk.padded, chunk.padded,
                      right_ + chunk.start * right_columns_ + column * chunk.padded, tile, width,
                      /*add=*/i > 0);
  }
  for (int64_t i = 0; i < rows; ++i)
    std::copy_n(tile + i * width, width, out + (row + i) * right_columns_ + column);
}

template void pack_transposed(const float*, const PackedMatrix<float>&, Range, float*);
template void pack_transposed(const float*, const PackedMatrix<simd::Bf16>&, Range, simd::Bf16*);
template void pack_weight(const float*, const float*, const PackedMatrix<float>&, Range, float*);
template void pack_weight(const float*, const float*, const PackedMatrix<simd::Bf16>&, Range,
                          simd::Bf16*);
template class GradientOperands<float>;
template class GradientOperands<simd::Bf16>;

}  // namespace vit::training
