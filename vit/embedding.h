#pragma once

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/layers.h>
#include <vit/patch_embed.h>

namespace vit {

/// What turns an input into the tokens of block 0. Its parts are a model's, under the names that
/// the model gives them.
struct Embedding {
  at::Tensor pixel_mean;  ///< [C, 1, 1] or undefined; see InputConfig::normalized_inside
  at::Tensor pixel_std;   ///< [C, 1, 1]
  PatchEmbed patch_embed{nullptr};
  at::Tensor cls_token;   ///< [1, class tokens, D] or undefined, like those that follow
  at::Tensor dist_token;  ///< [1, 1, D]
  at::Tensor reg_token;   ///< [1, registers, D]
  at::Tensor pos_embed;   ///< [1, VitConfig::num_positions(), D]
  Norm norm_pre{nullptr};

  at::ScalarType dtype() const { return patch_embed->dtype(); }

  /// Input in the model's layout, of any floating point type -> [B, N, D]. Throws c10::Error for
  /// integers, bool and complex numbers, and for another shape than the config's.
  at::Tensor forward(const VitConfig& config, const at::Tensor& input) const;

 private:
  /// The table, or what it is in the grid of this config.
  at::Tensor positions_for(const VitConfig& config) const;
};

/// The positions that `config` computes, [1, num_positions, D] float32, zeros for a prefix that
/// they cover.
at::Tensor computed_positions(const VitConfig& config);

}  // namespace vit
