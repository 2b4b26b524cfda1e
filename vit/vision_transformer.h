#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/block.h>
#include <vit/config.h>
#include <vit/kernels/fused_blocks.h>
#include <vit/layers.h>
#include <vit/patch_embed.h>
#include <vit/pooling.h>
#include <vit/token_reducer.h>

namespace vit {

struct ForwardOptions {
  bool track_source = false;     ///< fill ForwardResult::source
  bool track_positions = false;  ///< fill ForwardResult::positions
};

/// Everything one forward pass computes.
struct ForwardResult {
  at::Tensor logits;  ///< [B, classes]; [B, N, classes] without pooling
  at::Tensor
      features;  ///< [B, N, D] tokens after the final norm (before the pool's norm with fc_norm)
  at::Tensor pooled;  ///< [B, D] what the head reads
  at::Tensor size;    ///< [B, N] float32: patches each token stands for; 0 marks what is no token:
                      ///< the reducer left fewer to that sample than to others, the rest is zeros
  at::Tensor source;  ///< [B, N, N0] float32: which input tokens went into each token; undefined
                      ///< unless asked for
  at::Tensor positions;  ///< [B, N, 2] float32: row and column in the grid of patches, of several
                         ///< patches their mean, 0 for prefix tokens; undefined unless asked for
};

/// A Vision Transformer whose submodules carry timm's parameter names.
///
/// forward() changes nothing in the model: several threads may call it at once. The setters and
/// torch's own module functions (to(), train()) may not run at the same time.
class VisionTransformerImpl : public torch::nn::Module {
 public:
  /// Parameters are uninitialised: load them, or call init_weights(). Throws Error if the config
  /// is not valid.
  explicit VisionTransformerImpl(ModelConfig config);

  /// `pixels` [B, C, H, W], normalised -> logits [B, classes].
  at::Tensor forward(const at::Tensor& pixels) const;

  /// The same with everything on the way.
  ForwardResult forward_all(const at::Tensor& pixels, ForwardOptions options = {}) const;

  /// What runs between attention and MLP; null for nothing.
  void set_reducer(std::shared_ptr<const TokenReducer> reducer) { reducer_ = std::move(reducer); }
  const std::shared_ptr<const TokenReducer>& reducer() const { return reducer_; }

  /// Linear layers of the blocks in 8-bit integers, weights with a scale for each channel, their
  /// inputs with one for each token; everything else stays in the model's dtype. Takes effect
  /// where no gradient is wanted and the reducer, if any, decides per sample. Throws Error if this
  /// CPU or this build cannot do it.
  void set_int8(bool int8);
  bool int8() const { return int8_; }

  /// Packs the weights of the blocks' linear layers for the fused CPU kernels and frees the
  /// parameters they came from, which have no elements from then on: the model needs half the
  /// memory and can only be run, without gradients, in its dtype and precision, with no reducer or
  /// one that decides per sample. Nothing happens where the kernels do not fit the model.
  void keep_packed_only();

  /// Stochastic depth (arXiv 1603.09382): in training mode each branch of the last block is left
  /// out for a share `rate` of the samples, of the first block for none, of those between them
  /// linearly; what is not left out grows by 1 / (1 - share). Draws from the default generator.
  /// Throws Error unless 0 <= rate < 1.
  void set_drop_path(double rate);

  const VitConfig& config() const { return config_.vit; }
  const Preprocessing& preprocessing() const { return config_.preprocessing; }
  const std::vector<std::string>& labels() const { return config_.labels; }

  /// Changes the input size: resamples learned positions as the checkpoint's library does and
  /// adapts the preprocessing. Throws Error if the patch size does not divide it.
  void set_image_size(Size2d image_size);

  /// Random weights as for training: normal of standard deviation 0.02 cut at two of them, zero
  /// biases, unit norms, layer scales of 1e-5.
  void init_weights(uint64_t seed);

 private:
  at::Tensor embed(const at::Tensor& pixels) const;
  void pool_and_classify(ForwardResult& result, const TokenState& state,
                         const TokenReducer* reducer) const;

  ModelConfig config_;
  std::shared_ptr<const TokenReducer> reducer_;

  PatchEmbed patch_embed_{nullptr};
  at::Tensor cls_token_;
  at::Tensor dist_token_;
  at::Tensor reg_token_;
  at::Tensor pos_embed_;
  LayerNorm norm_pre_{nullptr};
  std::vector<Block> blocks_;
  kernels::FusedBlocks fused_;
  bool int8_ = false;
  LayerNorm norm_{nullptr};
  AttentionPool attn_pool_{nullptr};
  LayerNorm fc_norm_{nullptr};
  Linear head_{nullptr};
  Linear head_dist_{nullptr};
};

TORCH_MODULE(VisionTransformer);

}  // namespace vit
