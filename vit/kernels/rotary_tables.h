#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/extent.h>
#include <vit/kernels/kernel_block.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/token_members.h>
#include <vit/kernels/workspace.h>
#include <vit/rotary_config.h>

namespace vit::kernels {

/// What a layer's angles are made of, in float32, rows padded with zeros.
struct RotaryFrequencies {
  at::Tensor of_axes;       ///< [1 or heads, axes, padded] for each unit of a coordinate
  at::Tensor class_angles;  ///< [padded]; undefined unless the class token is rotated
};

/// `learned` [2, heads, angles] and `class_angles` [angles] as in BlockWeights.
RotaryFrequencies packed_frequencies(const KernelBlock& block, const at::Tensor& learned,
                                     const at::Tensor& class_angles);

/// By how much the tokens of some samples are rotated: a row of sines and cosines for each, or for
/// each and every head where angles are learned. Samples whose tokens are where they were at the
/// start share one table; others have their own. Rows may be computed at once.
class RotaryTables {
 public:
  struct Sizes {
    int64_t samples;
    int64_t tokens;         ///< of each
    int64_t prefix_tokens;  ///< not rotated, but for the class token where it has angles
    bool shared;            ///< all samples have their tokens at the same places
    bool merges;            ///< they will not have for long
  };
  RotaryTables(const KernelBlock& block, Extent grid, const Sizes& sizes, Workspace& workspace);

  /// Whether other layers have other angles for a token that stays where it is.
  bool by_layer() const { return config_.class_angles || heads_ > 1; }

  /// Whether all samples have the table of the first one now.
  bool shared() const { return shared_; }
  /// From now on they have not.
  void separate() { shared_ = false; }

  /// Computes the row of a token. `place` [axes] is where it is in the grid of patches.
  void compute(const RotaryFrequencies& frequencies, int64_t sample, int64_t token,
               const float* place);
  /// As the mean of the rows of `count` tokens at places [.., axes]. Prefix tokens are alone.
  void compute_mean(const RotaryFrequencies& frequencies, int64_t sample, int64_t token,
                    const float* places, const int64_t* members, int64_t count);

  /// The rotation of a sample's tokens from `token` on.
  simd::Rotation rotation(int64_t sample, int64_t token, int64_t head) const;

 private:
  float* row(int64_t sample, int64_t token) const {
    return (shared_ ? common_ : own_ + sample * tokens_ * row_size_) + token * row_size_;
  }
  /// Sines and cosines of one head of a token.
  void compute_head(const RotaryFrequencies& frequencies, int64_t head, int64_t token,
                    const float* place, float* to) const;
  void coordinates(const float* place, float* out) const;
  void spread(float* to) const;

  const RotaryConfig config_;
  const Extent grid_;
  const int64_t tokens_, prefix_tokens_, angles_, padded_, heads_;
  const int64_t head_size_;  // numbers of one head's rotation
  const int64_t row_size_;   // numbers of a row
  bool shared_;
  float* common_ = nullptr;  // [tokens, row_size]
  float* own_ = nullptr;     // [samples, tokens, row_size]
};

}  // namespace vit::kernels
