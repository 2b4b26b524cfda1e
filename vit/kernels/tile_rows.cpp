#include <vit/kernels/cpu_features.h>
#include <vit/kernels/tile_rows.h>

namespace vit::kernels {

// Twice the cache was fastest of what was tried (ViT-B on AMD's fourth EPYC: 7 % faster than half
// of it).
int64_t rows_together(int64_t row_bytes) {
  constexpr int64_t kMaxTiles = 4;
  const int64_t tiles = 2 * second_level_cache() / row_bytes / kTileRows;
  return std::clamp(tiles, int64_t{1}, kMaxTiles) * kTileRows;
}

}  // namespace vit::kernels
