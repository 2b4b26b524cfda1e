#pragma once

#include <algorithm>
#include <cstdint>

#include <vit/kernels/head_attention.h>
#include <vit/kernels/product.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/tile_rows.h>
#include <vit/kernels/workspace.h>

namespace vit::kernels {

/// What a thread's scratch memory has to hold; all but rows and tokens are padded.
struct WorkerSizes {
  int64_t block_rows;  ///< rows that go through a linear layer together
  int64_t columns;
  int64_t hidden_columns;
  int64_t head_columns;
  int64_t tokens;
  bool quantizes;
};

/// Scratch memory of one thread of the fused encoder. `T` is float or simd::Bf16.
template <typename T>
struct Worker {
  Worker(Workspace& workspace, const WorkerSizes& sizes)
      : operand(workspace.take<T>(sizes.block_rows * sizes.columns)),
        hidden(workspace.take<T>(sizes.block_rows * sizes.hidden_columns)),
        tile(workspace.take<float>(kTileRows * std::max(sizes.head_columns, kBlockColumns))),
        other_tile(workspace.take<float>(kTileRows * std::max(sizes.head_columns, kBlockColumns))),
        row(workspace.take<float>(std::max(sizes.columns, sizes.hidden_columns))),
        rest(workspace.take<T>(sizes.block_rows * sizes.columns)),
        head(workspace, sizes.tokens, sizes.head_columns) {
    if (!sizes.quantizes) return;
    bytes =
        workspace.take<uint8_t>(sizes.block_rows * std::max(sizes.columns, sizes.hidden_columns));
    scales = workspace.take<simd::Quantized>(sizes.block_rows);
  }

  /// What becomes of rows of `columns` from `first` on, with the other memory of `thread`.
  Worker from(int64_t first, int64_t columns, const Worker& thread) const {
    Worker worker = thread;
    worker.operand = operand + first * columns;
    worker.rest = rest + first * columns;
    if (!scales) return worker;
    worker.bytes = bytes + first * columns;
    worker.scales = scales + first;
    return worker;
  }

  T* operand;                ///< [block_rows, columns] what a linear layer reads
  T* hidden;                 ///< [block_rows, hidden_columns] what the second one of the MLP reads
  float* tile;               ///< what a product gave
  float* other_tile;         ///< of the same size
  float* row;                ///< [columns] or [hidden_columns] in float32
  T* rest;                   ///< [block_rows, columns] what rounding took from `operand`
  uint8_t* bytes = nullptr;  ///< a quantized operand
  simd::Quantized* scales = nullptr;
  HeadScratch<T> head;
};

}  // namespace vit::kernels
