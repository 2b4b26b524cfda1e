#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/config.h>
#include <vit/forward.h>
#include <vit/token_reducer.h>
#include <vit/vision_transformer.h>

namespace vit {

/// A model that can be run and nothing else. Its weights never change, and where the fused CPU
/// kernels fit it has them packed for those alone, once and for all passes.
///
///     vit::InferenceModel model(vit::load("vit_base_patch16_224/"));
///     auto logits = model.forward(pixels);
///     auto probabilities = vit::scores(logits, model.score_kind());
///
/// Copies share the weights. Many threads may run one at once.
class InferenceModel {
 public:
  /// Takes a model over, in its dtype, precision and with its reducer. If nobody else holds it, its
  /// weights are freed as they are packed; otherwise they are copied, and what becomes of the model
  /// does not matter any more. Throws Error for a model in training mode.
  explicit InferenceModel(VisionTransformer model);

  /// `pixels` as VisionTransformerImpl::forward() takes them -> logits [B, classes]. Gradients are
  /// never computed.
  at::Tensor forward(const at::Tensor& pixels) const;

  /// The same with everything on the way.
  ForwardResult forward_all(const at::Tensor& pixels, ForwardOptions options = {}) const;

  /// Pictures of different sizes and padded batches, as VisionTransformerImpl takes them.
  at::Tensor forward(const std::vector<at::Tensor>& pictures) const;
  std::vector<ForwardResult> forward_all(const std::vector<at::Tensor>& pictures,
                                         ForwardOptions options = {}) const;
  ForwardResult forward_all(const PaddedPictures& pictures, ForwardOptions options = {}) const;

  /// What runs between attention and MLP; null for nothing.
  void set_reducer(std::shared_ptr<const TokenReducer> reducer) { reducer_ = std::move(reducer); }
  const std::shared_ptr<const TokenReducer>& reducer() const { return reducer_; }

  const VitConfig& config() const;
  const Preprocessing& preprocessing() const { return config().input.preprocessing; }
  /// That of a model of pictures. Throws Error if it takes anything else.
  const PicturePreprocessing& picture_preprocessing() const { return config().picture_for_input(); }
  const std::vector<std::string>& labels() const;
  /// How logits become scores, for scores().
  ScoreKind score_kind() const;

  /// Whether the weights are packed for the fused CPU kernels.
  bool is_packed() const;

 private:
  struct Parts;
  template <typename F>
  auto pass(const F& work) const;

  std::shared_ptr<const Parts> parts_;
  std::shared_ptr<const TokenReducer> reducer_;
};

}  // namespace vit
