#pragma once

#include <cstdint>

namespace vit::kernels {

/// Half-open range.
struct Range {
  int64_t begin;
  int64_t end;
  int64_t size() const { return end - begin; }
};

/// Part `index` of `count` nearly equal parts of 0 .. total.
inline Range part_of(int64_t total, int64_t index, int64_t count) {
  return {total * index / count, total * (index + 1) / count};
}

}  // namespace vit::kernels
