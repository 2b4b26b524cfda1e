#pragma once

#include <ATen/core/Tensor.h>

#include <vit/token_reducer.h>

namespace vit::merging {

/// Asks `reducer` and forms its rows in `state`. `metric` [B, N, d] and `class_attention` [B, N]
/// are undefined where it does not need them.
void reduce(const TokenReducer& reducer, const ReducerNeeds& needs, const at::Tensor& metric,
            const at::Tensor& class_attention, TokenState& state);

/// What attention adds to the logits of each key [B, N]: the log of its size where attention is
/// proportional, -inf for padding; undefined for nothing. `reducer` may be null.
at::Tensor key_bias(const TokenState& state, const TokenReducer* reducer);

/// 1 for tokens, 0 for padding [B, N] float32; undefined where there is no padding.
at::Tensor token_mask(const TokenState& state);

}  // namespace vit::merging
