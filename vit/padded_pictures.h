#pragma once

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/embedding.h>

namespace vit {

/// A batch of pictures of different sizes as SigLIP 2's image processor makes it (transformers
/// 5.23): patches of each picture row by row, padded to one length.
struct PaddedPictures {
  at::Tensor pixel_values;          ///< [B, L, rows * cols * C] normalised, each patch by row,
                                    ///< column and channel
  at::Tensor pixel_attention_mask;  ///< [B, L]: 1 for patches, 0 for the padding behind them;
                                    ///< undefined: as the shapes say
  at::Tensor spatial_shapes;        ///< [B, 2] integers: rows and columns of patches

  /// Without the padding. Throws Error, naming the tensor, where they contradict each other or do
  /// not fit the model, and for a model that takes one size only.
  CutPictures cut(const VitConfig& config) const;
};

}  // namespace vit
