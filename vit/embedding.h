#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/layers.h>
#include <vit/patch_embed.h>

namespace vit {

/// Pictures cut into patches, perhaps of different sizes.
struct CutPictures {
  at::Tensor patches;         ///< [patches of all pictures, C * rows * cols], each patch by
                              ///< channel, row and column
  std::vector<Extent> grids;  ///< of each picture, whose patches lie row by row
};

/// The grid of patches of an input [B, C, H, W] ([B, C, T, H, W] where the model's has frames): the
/// config's, or of a model that takes any size the input's own. Throws c10::Error for integers,
/// bool and complex numbers, and for a shape that the model does not take.
Extent grid_of(const VitConfig& config, const at::Tensor& input);

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

  /// Input in the model's layout, of any floating point type -> [B, N, D]. Throws c10::Error as
  /// grid_of() does.
  at::Tensor forward(const VitConfig& config, const at::Tensor& input) const;

  /// Pictures of a model that takes any size -> [B, N, D], zeros behind those that have fewer
  /// tokens than the largest.
  at::Tensor forward(const VitConfig& config, const CutPictures& pictures) const;

 private:
  /// The table, or what it is in another grid.
  at::Tensor positions_for(const VitConfig& config, const Extent& grid) const;
  /// Class, distillation and register tokens, each [1, n, D].
  std::vector<at::Tensor> prefix() const;
};

/// The positions that `config` computes, [1, num_positions, D] float32, zeros for a prefix that
/// they cover.
at::Tensor computed_positions(const VitConfig& config);

}  // namespace vit
