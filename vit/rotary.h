#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/extent.h>
#include <vit/rotary_config.h>

namespace vit {

/// By how much the queries and keys of each token are rotated (arXiv 2104.09864), as sine and
/// cosine, [B, 1, N, angles] float32, or [B, heads, N, angles] where each head has its own. Tokens
/// of the prefix are not, but for the class token of models in which it has learned angles.
struct RotaryAngles {
  at::Tensor sin;
  at::Tensor cos;
  RotaryLayout layout = RotaryLayout::interleaved;
};

/// What some models have learned of them.
struct RotaryWeights {
  at::Tensor freqs;         ///< [2, heads, d/2] for each unit of column and row; undefined unless
                            ///< RotaryFrequencies::learned
  at::Tensor class_angles;  ///< [d/2]; undefined unless RotaryConfig::class_angles
};

/// Where the patches of a grid are: row and column, with three `axes` frame, row and column;
/// [1, prefix + patches, axes] float32, 0 for prefix tokens.
at::Tensor patch_positions(Extent grid, int64_t prefix_tokens, int64_t axes);

/// `positions` [B, N, axes] of patch_positions(), of merged tokens the mean of those that went into
/// them -> the coordinates that angles are computed from, in the model's own units: row and column
/// (frame, row and column), whatever order the angles have.
at::Tensor rotary_coordinates(const RotaryConfig& config, Extent grid, const at::Tensor& positions);

/// The angles of tokens at `positions` [B, N, axes]. For heads of `head_dim` channels, a multiple
/// of 4 with two axes.
RotaryAngles rotary_angles(const RotaryConfig& config, int64_t head_dim, Extent grid,
                           const at::Tensor& positions, int64_t prefix_tokens,
                           const RotaryWeights& weights = {});

/// A table [.., 3 n] of the angles of three axes as RotaryLayout::interleaved_tiled takes it, of
/// each channel: [.., 6 n], those of an axis repeated behind themselves.
at::Tensor tiled_angles(const at::Tensor& table);

/// Queries or keys [B, heads, N, d] -> the same, rotated: a pair (a, b) becomes
/// (a cos - b sin, b cos + a sin), computed in float32. Channels that no angle is for stay.
at::Tensor rotate(const at::Tensor& x, const RotaryAngles& angles);

}  // namespace vit
