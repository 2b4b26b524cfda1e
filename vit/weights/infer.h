#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <vit/config.h>
#include <vit/weights/known_models.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Architecture of a checkpoint in timm's key names, from names and shapes alone. What shapes do
/// not show comes from timm's architecture of the same shapes, if there is one, else it gets the
/// usual value: heads of 64 channels, square images, eps 1e-6. `where` names the file in errors.
/// `image_size` is tried where the position table covers no square.
/// ModelConfig::assumed says what neither shapes nor timm's architectures tell. `traits` are those
/// of the file's names if they are timm's; other libraries' are taken for those of plain models.
/// Throws Error if the weights are no Vision Transformer, and where nothing tells what would make
/// another model of them (see settle()).
ModelConfig infer_config(const StateDict& weights, const std::string& where,
                         std::optional<Size2d> image_size = std::nullopt,
                         const std::optional<TimmTraits>& traits = std::nullopt);

/// One more than the largest N of the names "blocks.N.…".
int64_t count_blocks(const StateDict& weights);

/// Side of the square grid that a table of `positions` rows covers behind `prefix` rows; 0 if none.
int64_t square_grid_side(int64_t positions, int64_t prefix);

/// Throws the Error for such a table where nothing says which image it covers; it proposes a size.
[[noreturn]] void fail_not_square(const std::string& where, int64_t positions, int64_t prefix,
                                  Size2d patch_size);

}  // namespace vit
