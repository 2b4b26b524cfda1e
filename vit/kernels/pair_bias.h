#pragma once

#include <cstdint>

#include <vit/kernels/token_members.h>

namespace vit::kernels {

/// What attention adds to the scores of one head for each pair of a sample's tokens, in units of
/// log2: the bias of their patches, of tokens that stand for several the mean over all pairs.
struct PairBias {
  const float* table = nullptr;     ///< [N0, ld] of the pairs of patches
  int64_t ld = 0;                   ///< a multiple of simd::kPad
  int64_t tokens = 0;               ///< of the sample
  MemberLists members = {};         ///< of its tokens; null pointers while nothing is merged
  const float* key_bias = nullptr;  ///< [tokens] added for each key, padded; null for none
  float* sums = nullptr;            ///< scratch of ld numbers
  float* out = nullptr;             ///< likewise

  /// For all keys of a query, until the next call; readable up to a multiple of simd::kPad.
  const float* row(int64_t query) const;
};

}  // namespace vit::kernels
