#pragma once

#include <cstdint>

namespace vit {

/// Which elements of a head form the pairs that are rotated.
enum class RotaryLayout {
  interleaved,  ///< 2j and 2j + 1
  half,         ///< j and j + d/2
};

/// What the coordinates of a patch are.
enum class RotaryCoordinates {
  index,     ///< row and column, from `offset` on, rescaled to the reference grid if there is one
  centered,  ///< from -1 to 1, the middles of the patches: 2 (y + 0.5) / H - 1 (DINOv3)
};

/// Rotary positions of two axes (arXiv 2104.09864, 2403.13298): queries and keys of the tokens
/// after the prefix are rotated by angles that grow with their patch's row and column.
struct RotaryConfig {
  RotaryLayout layout = RotaryLayout::interleaved;
  RotaryCoordinates coordinates = RotaryCoordinates::index;
  /// Pair k of the d/4 of an axis turns by base^(-k / (d/4)) for each unit of its coordinate,
  /// centered ones by 2 pi times that.
  double base = 10000;
  double offset = 0;           ///< added to indices, before they are rescaled
  int64_t reference_rows = 0;  ///< of the grid that indices are rescaled to; 0: they are not
  int64_t reference_cols = 0;
  bool columns_first = false;  ///< the first half of the angles is the column's

  bool operator==(const RotaryConfig&) const = default;
};

}  // namespace vit
