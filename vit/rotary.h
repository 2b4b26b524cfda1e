#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/extent.h>
#include <vit/rotary_config.h>

namespace vit {

/// By how much the queries and keys of each token are rotated (arXiv 2104.09864), as sine and
/// cosine, [B, 1, N, d/2] float32. Tokens of the prefix are not.
struct RotaryAngles {
  at::Tensor sin;
  at::Tensor cos;
  RotaryLayout layout = RotaryLayout::interleaved;
};

/// `positions` [B, N, 2] float32: row and column in the patch grid, of merged tokens the mean of
/// those that went into them. For heads of `head_dim` channels, a multiple of 4.
RotaryAngles rotary_angles(const RotaryConfig& config, int64_t head_dim, Extent grid,
                           const at::Tensor& positions, int64_t prefix_tokens);

/// Queries or keys [B, heads, N, d] -> the same, rotated: a pair (a, b) becomes
/// (a cos - b sin, b cos + a sin), computed in float32.
at::Tensor rotate(const at::Tensor& x, const RotaryAngles& angles);

}  // namespace vit
