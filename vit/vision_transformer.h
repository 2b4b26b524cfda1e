#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vit/block.h>
#include <vit/config.h>
#include <vit/embedding.h>
#include <vit/forward.h>
#include <vit/head.h>
#include <vit/token_reducer.h>

namespace vit {

namespace kernels {
class FusedBlocks;
}

/// A Vision Transformer whose submodules carry timm's parameter names.
///
/// forward() changes nothing in the model: several threads may call it at once. The setters and
/// torch's own module functions (to(), train()) may not run at the same time.
///
/// Every pass computes with the parameters as they are, whoever has changed them and how: nothing
/// made of them is kept from pass to pass. The fused CPU kernels therefore pack the weights anew
/// each time; an InferenceModel packs them once.
class VisionTransformerImpl : public torch::nn::Module {
 public:
  /// Parameters are uninitialised: load them, or call init_weights(). Throws Error if the config
  /// is not valid.
  explicit VisionTransformerImpl(ModelConfig config);
  ~VisionTransformerImpl() override;

  /// `pixels` [B, C, H, W] (clips [B, C, T, H, W]), normalised, of any floating point type ->
  /// logits [B, classes]. H and W are the config's, in models that take any size multiples of the
  /// patch size. Throws c10::Error for another shape or type: media::preprocess() makes
  /// such pixels of pictures.
  at::Tensor forward(const at::Tensor& pixels) const;

  /// The same with everything on the way.
  ForwardResult forward_all(const at::Tensor& pixels, ForwardOptions options = {}) const;

  /// Pictures [C, H, W] of a model that takes any size (VitConfig::takes_any_size()), or of one
  /// size -> what becomes of each alone, in their order, B being 1. They run together, and nothing
  /// is computed for padding; with rotary positions those of one size do. Throws c10::Error as
  /// forward() does.
  std::vector<ForwardResult> forward_all(const std::vector<at::Tensor>& pictures,
                                         ForwardOptions options = {}) const;
  /// Their logits [pictures, classes]. Throws Error for a model without pooling.
  at::Tensor forward(const std::vector<at::Tensor>& pictures) const;

  /// A padded batch of the transformers library, as one of that many samples: size is 0, and
  /// everything else, where there is no token. Throws Error where it does not hold together.
  ForwardResult forward_all(const PaddedPictures& pictures, ForwardOptions options = {}) const;

  /// What runs between attention and MLP; null for nothing.
  void set_reducer(std::shared_ptr<const TokenReducer> reducer) { reducer_ = std::move(reducer); }
  const std::shared_ptr<const TokenReducer>& reducer() const { return reducer_; }

  /// Linear layers of the blocks in 8-bit integers, weights with a scale for each channel, their
  /// inputs with one for each token; everything else stays in the model's dtype. Takes effect
  /// where no gradient is wanted and the reducer, if any, decides per sample. Throws Error if this
  /// CPU or this build cannot do it.
  void set_int8(bool int8);
  bool int8() const { return int8_; }

  /// Stochastic depth (arXiv 1603.09382): in training mode each branch of the last block is left
  /// out for a share `rate` of the samples, of the first block for none, of those between them
  /// linearly; what is not left out grows by 1 / (1 - share). Draws from the default generator.
  /// Throws Error unless 0 <= rate < 1.
  void set_drop_path(double rate);

  const VitConfig& config() const { return config_.vit; }
  const Preprocessing& preprocessing() const { return config_.vit.input.preprocessing; }
  /// That of a model of pictures. Throws Error if it takes anything else.
  const PicturePreprocessing& picture_preprocessing() const {
    return config_.vit.picture_for_input();
  }
  const std::vector<std::string>& labels() const { return config_.labels; }
  /// What neither files nor weights said and load() took to be as usual, a line each.
  const std::vector<std::string>& assumed() const { return config_.assumed; }
  /// All that the model's files say, or would say.
  const ModelConfig& model_config() const { return config_; }

  /// How logits become scores, for scores(). Setting it changes what save() writes, and nothing
  /// that forward() computes; unset: ModelConfig::score_kind() decides by the number of classes.
  /// Throws Error for a softmax over one class, which says nothing.
  ScoreKind score_kind() const { return config_.score_kind(); }
  void set_scores(std::optional<ScoreKind> scores);

  /// Pictures of any aspect with at most so many patches, see VitConfig::set_max_patches().
  void set_max_patches(int64_t max_patches) { config_.vit.set_max_patches(max_patches); }

  /// Changes the input size, of models that take any size that of all pictures from then on:
  /// resamples learned positions as the checkpoint's library does and adapts the preprocessing.
  /// Sizes do not add up: each is resampled from the positions that were there before the first
  /// change, until something else (training) changes them. Throws Error if the patch size does not
  /// divide it.
  void set_image_size(Size2d image_size);

  /// Random weights as for training: normal of standard deviation 0.02 cut at two of them, zero
  /// biases, unit norms, layer scales of 1e-5.
  void init_weights(uint64_t seed);

  // What a model is made of, for those that run its parts themselves.
  const Embedding& embedding() const { return embedding_; }
  const Head& head() const { return head_; }
  std::vector<kernels::BlockWeights> block_weights() const;
  /// Takes the tokens through all blocks, with the fused kernels where they fit.
  void run_blocks(TokenState& state, const TokenReducer* reducer) const;

 private:
  template <typename F>
  auto pass(const F& work) const;

  /// Learned positions that set_image_size() has changed.
  struct Resampled {
    at::Tensor origin;  ///< as they were before
    Extent grid;        ///< of the origin
    at::Tensor made;    ///< what it made of them
  };

  at::Tensor resampled_positions(const VitConfig& changed);

  ModelConfig config_;
  std::shared_ptr<const TokenReducer> reducer_;

  Embedding embedding_;
  std::vector<Block> blocks_;
  std::unique_ptr<kernels::FusedBlocks> fused_;
  std::optional<Resampled> resampled_;
  bool int8_ = false;
  Head head_;
};

TORCH_MODULE(VisionTransformer);

}  // namespace vit
