#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <vit/kernels/range.h>
#include <vit/kernels/simd.h>

namespace vit::training {

/// Rows of a batch that one thread works on together.
struct Chunk {
  int64_t first;
  int64_t rows;
  int64_t padded;  ///< rows, rounded up to a multiple of simd::kPad
  int64_t start;   ///< sum of `padded` of the chunks before
  int64_t index;
};

/// All rows of a batch in chunks; each thread has some of its own that follow each other.
class RowChunks {
 public:
  /// `most` rows in a chunk, a multiple of simd::kPad.
  RowChunks(int64_t rows, int64_t threads, int64_t most) {
    for (int64_t thread = 0; thread < threads; ++thread) {
      const auto range = kernels::part_of(rows, thread, threads);
      const auto before = static_cast<int64_t>(chunks_.size());
      const int64_t count = (range.size() + most - 1) / most;
      for (int64_t i = 0; i < count; ++i) {
        // Equal parts, but cut where vectors end.
        const auto edge = [&](int64_t part) {
          return std::min(range.end, range.begin + simd::round_up(range.size() * part / count));
        };
        const int64_t size = edge(i + 1) - edge(i);
        if (size == 0) continue;
        chunks_.push_back({edge(i), size, simd::round_up(size), padded_rows_, this->size()});
        padded_rows_ += chunks_.back().padded;
      }
      shares_.push_back({before, static_cast<int64_t>(chunks_.size())});
    }
  }

  int64_t size() const { return static_cast<int64_t>(chunks_.size()); }
  const Chunk& operator[](int64_t index) const { return chunks_[index]; }
  /// Of the chunks, by thread.
  const std::vector<kernels::Range>& shares() const { return shares_; }
  int64_t padded_rows() const { return padded_rows_; }

 private:
  std::vector<Chunk> chunks_;
  std::vector<kernels::Range> shares_;
  int64_t padded_rows_ = 0;
};

}  // namespace vit::training
