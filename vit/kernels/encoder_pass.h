#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/arena.h>
#include <vit/kernels/encoder.h>

namespace vit::kernels {

/// Half-open range.
struct Share {
  int64_t begin;
  int64_t end;
  int64_t size() const { return end - begin; }
};

/// Part `index` of `count` nearly equal parts of 0 .. total.
inline Share share_of(int64_t total, int64_t index, int64_t count) {
  return {total * index / count, total * (index + 1) / count};
}

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
