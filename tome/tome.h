#pragma once

#include <tome/schedule.h>
#include <vit/inference_model.h>
#include <vit/vision_transformer.h>

namespace tome {

/// How merging treats rotary positions; of no meaning to models without. Measured in
/// docs/rotary.md.
enum class RotaryRule {
  mean,  ///< a merged token stands at the mean of its patches; keys are compared unrotated
  keep,  ///< it stands where the token was that others were merged into
  mean_of_angles,  ///< sine and cosine of its patches' angles are averaged
  rotated_metric,  ///< as mean, but keys are compared as they were rotated
};

/// How tokens are merged.
struct Options {
  Schedule r;
  bool prop_attn = true;  ///< proportional attention: log(size) is added to the attention logits
  RotaryRule rotary = RotaryRule::mean;
};

/// Makes `model` merge tokens between attention and MLP of every block (Token Merging, arXiv
/// 2210.09461). Replaces whatever reducer it had; a schedule that merges nothing removes it.
void apply(vit::VisionTransformer& model, const Options& options);
void apply(vit::InferenceModel& model, const Options& options);

/// Makes `model` what it was before apply().
void remove(vit::VisionTransformer& model);
void remove(vit::InferenceModel& model);

}  // namespace tome
