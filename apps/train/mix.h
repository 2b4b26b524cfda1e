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
};

/// Mixes each picture of `pixels` [B, C, H, W] with another one and its `targets` [B, classes]
/// (rows of probabilities) by the same share, in place. The same `seed` mixes the same way.
void mix_batch(at::Tensor& pixels, at::Tensor& targets, const MixOptions& options, uint64_t seed);

}  // namespace train
