#pragma once

#include <tome/schedule.h>
#include <vit/inference_model.h>
#include <vit/vision_transformer.h>

namespace tome {

/// How tokens are merged.
struct Options {
  Schedule r;
  bool prop_attn = true;  ///< proportional attention: log(size) is added to the attention logits
};

/// Makes `model` merge tokens between attention and MLP of every block (Token Merging, arXiv
/// 2210.09461). Replaces whatever reducer it had; a schedule that merges nothing removes it.
void apply(vit::VisionTransformer& model, const Options& options);
void apply(vit::InferenceModel& model, const Options& options);

/// Makes `model` what it was before apply().
void remove(vit::VisionTransformer& model);
void remove(vit::InferenceModel& model);

}  // namespace tome
