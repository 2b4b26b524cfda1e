#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace train {

/// Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899) of the pictures of a batch.
struct MixOptions {
  double mixup = 0.0;        ///< alpha of the beta distribution; 0: no mixup
  double cutmix = 0.0;       ///< the same of CutMix
  double probability = 1.0;  ///< of mixing a batch at all
  double switching = 0.5;    ///< of CutMix where both are on

  /// Throws base::Error naming the option and what it may be.
  void validate() const;
};

/// Mixes each picture of `pixels` [B, C, H, W] with another one of the batch, and its `targets`
/// [B, classes] (rows of probabilities) by the same share, in place. Both of any floating point
/// dtype and on any device; a single picture stays as it is. The same `seed` mixes the same way.
///
/// Mixup takes the weighted mean of two pictures. CutMix replaces a rectangle, which is cut off
/// where it reaches beyond the picture; what is left of the picture's area is then its share. The
/// share of all pictures of a batch is the same.
///
/// Throws base::Error for options that are not valid and c10::Error for other tensors.
void mix_batch(at::Tensor& pixels, at::Tensor& targets, const MixOptions& options, uint64_t seed);

}  // namespace train
