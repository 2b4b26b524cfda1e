#pragma once

#include <cstdint>

namespace vit {

/// Height and width in pixels, tokens or whatever the name says.
struct Size2d {
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const Size2d&) const = default;
};

/// Frames, rows and columns of what a model takes: of pixels, spectrogram bins (rows) and frames
/// of sound (columns), or patches. A picture has one frame.
struct Extent {
  int64_t frames = 1;
  int64_t rows = 0;
  int64_t cols = 0;

  static Extent of(Size2d size) { return {1, size.height, size.width}; }
  /// Of one frame.
  Size2d size() const { return {rows, cols}; }
  int64_t count() const { return frames * rows * cols; }
  bool operator==(const Extent&) const = default;
};

}  // namespace vit
