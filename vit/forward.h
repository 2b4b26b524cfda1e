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
  bool track_source = false;  ///< fill ForwardResult::source
};

/// Everything one forward pass computes.
struct ForwardResult {
  at::Tensor logits;    ///< [B, classes]; [B, N, classes] without pooling
  at::Tensor features;  ///< [B, N, D] tokens after the norm that precedes the pooling, if any
  at::Tensor pooled;    ///< [B, D] what the head reads
  at::Tensor size;      ///< [B, N] float32: patches each token stands for
  at::Tensor source;    ///< [B, N, N0] float32: which input tokens went into each token; undefined
                        ///< unless asked for
};

/// One pass: embedding, what `run_blocks` does to the tokens, head.
ForwardResult forward_pass(const VitConfig& config, const Embedding& embedding, const Head& head,
                           const at::Tensor& input, ForwardOptions options,
                           const std::function<void(TokenState&)>& run_blocks);

}  // namespace vit
