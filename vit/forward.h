#pragma once

#include <functional>
#include <memory>

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/embedding.h>
#include <vit/head.h>
#include <vit/token_reducer.h>

namespace vit {

struct ForwardOptions {
  bool track_source = false;     ///< fill ForwardResult::source
  bool track_positions = false;  ///< fill ForwardResult::positions and coords
};

/// Everything one forward pass computes.
struct ForwardResult {
  at::Tensor logits;     ///< [B, classes]; [B, N, classes] without pooling
  at::Tensor features;   ///< [B, N, D] tokens after the norm that precedes the pooling, if any
  at::Tensor pooled;     ///< [B, D] what the head reads
  at::Tensor size;       ///< [B, N] float32: patches each token stands for; 0 marks what is no
                         ///< token: the reducer left fewer to that sample, the rest is zeros
  at::Tensor source;     ///< [B, N, N0] float32: which input tokens went into each token; undefined
                         ///< unless asked for
  at::Tensor positions;  ///< [B, N, 2] float32: row and column in the grid of patches, of several
                         ///< patches their mean, 0 for prefix tokens; with rotary positions of
                         ///< three axes [B, N, 3], the frame first; undefined unless asked for
  at::Tensor coords;     ///< [B, N - prefix, axes] float32: the same in the units of the model's
                         ///< rotary positions; undefined without these or unless asked for
};

/// One pass: embedding, what `run_blocks` does to the tokens, head. `reducer` may be null.
ForwardResult forward_pass(const VitConfig& config, const Embedding& embedding, const Head& head,
                           const at::Tensor& input, ForwardOptions options,
                           const TokenReducer* reducer,
                           const std::function<void(TokenState&)>& run_blocks);

}  // namespace vit
