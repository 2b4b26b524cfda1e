#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/arena.h>
#include <vit/kernels/encoder.h>
#include <vit/kernels/share.h>

namespace vit::kernels {

/// How many tokens enter every layer, and last, leave the last one.
struct TokenPlan {
  const TokenReducer* reducer;
  int64_t prefix_tokens;
  std::vector<int64_t> tokens;
};

TokenPlan plan_tokens(const Encoder& encoder, int64_t tokens, int64_t prefix_tokens,
                      const TokenReducer* reducer);

/// What a batch is read from and written to.
struct BatchTensors {
  at::Tensor input;   ///< [B, N0, D]
  at::Tensor output;  ///< [B, N, D] of the same type
  at::Tensor size;    ///< [B, N] or undefined where nothing merges
  at::Tensor source;  ///< [B, N, N0] or undefined
};

/// Runs some samples of a batch through all layers, on `threads` threads together.
void run_pass(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors,
              Share samples, int64_t threads, Arena& arena);

}  // namespace vit::kernels
