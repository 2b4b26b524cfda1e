#pragma once

#include <algorithm>
#include <cstdint>

#include <vit/kernels/product.h>
#include <vit/kernels/range.h>

namespace vit::kernels {

/// How the columns of a packed right-hand side are cut: into groups of equal size (the heads of q,
/// k and v; gates and values), and each of those into blocks of at most kBlockColumns, which lie
/// one after another.
struct ColumnBlocks {
  int64_t groups = 0;
  int64_t group_columns = 0;

  int64_t columns() const { return groups * group_columns; }
  int64_t blocks_per_group() const { return (group_columns + kBlockColumns - 1) / kBlockColumns; }
  int64_t count() const { return groups * blocks_per_group(); }
  /// Columns of a block.
  Range block(int64_t index) const {
    const int64_t first = index % blocks_per_group() * kBlockColumns;
    const int64_t begin = index / blocks_per_group() * group_columns + first;
    return {begin, begin + std::min(kBlockColumns, group_columns - first)};
  }
};

}  // namespace vit::kernels
