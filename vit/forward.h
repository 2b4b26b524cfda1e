#pragma once

#include <functional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/embedding.h>
#include <vit/head.h>
#include <vit/padded_pictures.h>
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
                         ///< token: that sample had fewer, or the reducer left fewer to it, and
                         ///< the rest is zeros
  at::Tensor source;     ///< [B, N, N0] float32: which input tokens went into each token; undefined
                         ///< unless asked for
  at::Tensor positions;  ///< [B, N, 2] float32: row and column in the grid of patches, of several
                         ///< patches their mean, 0 for prefix tokens; with rotary positions of
                         ///< three axes [B, N, 3], the frame first; undefined unless asked for
  at::Tensor coords;     ///< [B, N - prefix, axes] float32: the same in the units of the model's
                         ///< rotary positions; undefined without these or unless asked for
};

/// What takes inputs through a model: embedding, what `run_blocks` does to the tokens, head.
struct ForwardPass {
  const VitConfig& config;
  const Embedding& embedding;
  const Head& head;
  const TokenReducer* reducer;  ///< may be null
  std::function<void(TokenState&)> run_blocks;

  /// A batch of inputs of one size.
  ForwardResult run(const at::Tensor& input, ForwardOptions options) const;

  /// Pictures [C, H, W], of different sizes where the model takes any: what becomes of each alone,
  /// in their order, B being 1. Those of one size, and where no rotary positions tell grids apart
  /// all of them, go through the blocks together, none padded.
  std::vector<ForwardResult> run(const std::vector<at::Tensor>& pictures,
                                 ForwardOptions options) const;

  /// Their logits [pictures, classes]. Throws Error for a model without pooling.
  at::Tensor logits(const std::vector<at::Tensor>& pictures) const;

  /// The same as one batch, in the layout in which the transformers library pads pictures.
  ForwardResult run(const PaddedPictures& pictures, ForwardOptions options) const;

 private:
  /// Padded, and the grids of the pictures.
  std::pair<ForwardResult, std::vector<Extent>> run_all(const std::vector<at::Tensor>& pictures,
                                                        ForwardOptions options) const;
  ForwardResult run(const CutPictures& pictures, ForwardOptions options) const;
  ForwardResult run_together(const CutPictures& pictures, ForwardOptions options) const;
  ForwardResult finish(TokenState& state, ForwardOptions options) const;
};

}  // namespace vit
