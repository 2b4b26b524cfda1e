#include <algorithm>
#include <type_traits>

#include <vit/kernels/float_data.h>
#include <vit/kernels/prefetch.h>
#include <vit/kernels/row_layers.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/tile_activation.h>

namespace vit::kernels {

using simd::Tile;

template <typename T>
RowLayers<T>::RowLayers(const KernelBlock& block, Math math, int64_t hidden_columns)
    : block_(block),
      columns_(simd::round_up(block.dim)),
      hidden_columns_(hidden_columns),
      quantizes_(math == Math::int8) {}

template <typename T>
Operand RowLayers<T>::normalized(const float* x, int64_t rows, const PackedNorm& norm,
                                 Worker<T>& worker, bool exact) const {
  constexpr bool kRounds = !std::is_same_v<T, float>;
  const auto normalize = [&](int64_t i, auto* to) {
    normalize_row(block_, norm, x + i * columns_, block_.dim, to);
  };
  for (int64_t i = 0; i < rows; ++i) {
    T* to = worker.operand + i * columns_;
    if (!quantizes_ && !(kRounds && exact)) {
      normalize(i, to);
      continue;
    }
    normalize(i, worker.row);
    if (quantizes_)
      worker.scales[i] = simd::quantize(worker.row, columns_, worker.bytes + i * columns_);
    if constexpr (kRounds) {
      if (exact) simd::to_bf16_pair(worker.row, columns_, to, worker.rest + i * columns_);
    } else {
      if (exact) std::copy_n(worker.row, columns_, to);
    }
  }
  return operand_of(worker.operand, columns_, worker);
}

template <typename T>
Operand RowLayers<T>::inner_operand(T* x, int64_t rows, Width width, const PackedNorm& norm,
                                    Worker<T>& worker) const {
  const int64_t columns = width.columns;
  for (int64_t i = 0; quantizes_ && i < rows; ++i) {
    uint8_t* bytes = worker.bytes + i * columns;
    if (norm.defined()) {
      normalize_row(block_, norm, x + i * columns, width.dim, worker.row);
      worker.scales[i] = simd::quantize(worker.row, columns, bytes);
    } else {
      worker.scales[i] = simd::quantize(x + i * columns, columns, bytes);
    }
  }
  for (int64_t i = 0; !quantizes_ && norm.defined() && i < rows; ++i)
    normalize_row(block_, norm, x + i * columns, width.dim, x + i * columns);
  return operand_of(x, columns, worker);
}

template <typename T>
Operand RowLayers<T>::operand_of(const T* from, int64_t columns, const Worker<T>& worker) const {
  if (quantizes_) return {worker.bytes, columns, worker.scales};
  return {from, columns};
}

template <typename T>
void RowLayers<T>::add_linear(const PackedLinear& linear, const Operand& operand,
                              const at::Tensor& gamma, float* x, int64_t rows, Range blocks,
                              Worker<T>& worker) const {
  for (int64_t i = blocks.begin; i < blocks.end; ++i) {
    const auto& block = linear.block(i);
    each_tile(rows, [&](int64_t row, int64_t count) {
      float* to = x + row * columns_ + block.column;
      prefetch_rows(to, columns_, count, block.width);
      const Tile tile = linear.multiply_block(block, operand, row, count, worker.tile, block.width);
      simd::add(tile, linear.bias() + block.column,
                gamma.defined() ? float_data(gamma) + block.column : nullptr, to, columns_);
    });
  }
}

template <typename T>
void RowLayers<T>::activate(const PackedLinear& fc1, const Operand& operand, int64_t rows,
                            Range blocks, T* hidden, Worker<T>& worker) const {
  const bool gated = block_.gated();
  const auto activation = gated ? simd::TileActivation{} : tile_activation(block_.hidden);
  for (int64_t i = blocks.begin; i < blocks.end; ++i) {
    const auto& block = fc1.block(i);
    each_tile(rows, [&](int64_t row, int64_t count) {
      const Tile tile = fc1.multiply_block(block, operand, row, count, worker.tile, block.width);
      T* to = hidden + row * hidden_columns_ + block.column;
      const float* bias = fc1.bias() + block.column;
      if (gated) {
        const auto& other = fc1.block(fc1.blocks_per_group() + i);
        const Tile value =
            fc1.multiply_block(other, operand, row, count, worker.other_tile, block.width);
        simd::gate(tile, bias, value, fc1.bias() + other.column, to, hidden_columns_);
      } else {
        simd::activate(tile, bias, activation, to, hidden_columns_);
      }
    });
  }
}

template class RowLayers<float>;
template class RowLayers<simd::Bf16>;

}  // namespace vit::kernels
