#pragma once

#include <algorithm>
#include <cstdint>

namespace vit::kernels {

/// Rows of one product: its result, kTileRows x kBlockColumns floats, stays in the first-level
/// cache until it is used.
constexpr int64_t kTileRows = 64;

/// Rows that go through the layers of a branch together: as many as twice the second-level cache
/// holds with what becomes of them, `row_bytes` each. More of them read the weights less often,
/// fewer keep what they become nearer to the core. A multiple of kTileRows, up to four tiles.
int64_t rows_together(int64_t row_bytes);

/// Runs `work` on the tiles of `rows` rows: their first row, and how many they have.
template <typename F>
void each_tile(int64_t rows, const F& work) {
  for (int64_t row = 0; row < rows; row += kTileRows) work(row, std::min(kTileRows, rows - row));
}

}  // namespace vit::kernels
