#pragma once

#include <cstdint>

namespace vit {

/// Which elements of a head form the pairs that are rotated.
enum class RotaryLayout {
  interleaved,        ///< 2j and 2j + 1
  half,               ///< j and j + d/2
  interleaved_tiled,  ///< pairs as in interleaved, but element i of an axis turns by angle i modulo
                      ///< their number, as V-JEPA 2 (arXiv 2506.09985) was trained
};

/// What the coordinates of a patch are.
enum class RotaryCoordinates {
  index,     ///< row and column, from `offset` on, rescaled to the reference grid if there is one
  centered,  ///< from -1 to 1, the middles of the patches: 2 (y + 0.5) / H - 1 (DINOv3)
};

/// How angles come from coordinates.
enum class RotaryFrequencies {
  axial,    ///< each axis has angles of its own, at the frequencies that `base` gives
  learned,  ///< each angle of each head is a learned combination of row and column (arXiv
            ///< 2403.13298)
};

/// Rotary positions (arXiv 2104.09864): queries and keys of the tokens after the prefix are rotated
/// by angles that grow with their patch's row and column, in clips with its frame, too.
struct RotaryConfig {
  RotaryLayout layout = RotaryLayout::interleaved;
  RotaryCoordinates coordinates = RotaryCoordinates::index;
  RotaryFrequencies frequencies = RotaryFrequencies::axial;
  int64_t axes = 2;  ///< 2: row and column; 3: frame, row and column
  /// Angle k of the n of an axis turns by base^(-k / n) for each unit of its coordinate, centered
  /// ones by 2 pi times that. n is d / 4 with two axes, (d / 3) / 2 with three, where the last
  /// channels of a head are not rotated.
  double base = 10000;
  double offset = 0;           ///< added to indices, before they are rescaled
  int64_t reference_rows = 0;  ///< of the grid that indices are rescaled to; 0: they are not
  int64_t reference_cols = 0;
  bool columns_first = false;  ///< the first half of the angles is the column's
  bool class_angles = false;   ///< the class token is rotated, too, by learned angles (MLCD)

  /// Angles of a head of `head_dim` channels.
  int64_t angles(int64_t head_dim) const {
    return axes == 3 ? 3 * (head_dim / 3 / 2) : head_dim / 2;
  }
  bool operator==(const RotaryConfig&) const = default;
};

}  // namespace vit
