#pragma once

#include <string>

#include <vit/config.h>

// How the authors of weights prepare pictures where no file beside the weights says it.

namespace vit {

/// Statistics of colours mean little to a model of other channels; as in timm, all of them get the
/// average.
void average_statistics(VitConfig& config);

/// Sets the preprocessing of weights that were trained with ImageNet's mean and standard deviation.
void prepare_as_imagenet(VitConfig& config, Interpolation interpolation, double crop_pct);

/// The same for OpenAI's CLIP and for OpenCLIP: the whole shorter side, its own statistics.
void prepare_as_clip(VitConfig& config);

/// Class `type` of the transformers library, without its preprocessor's file.
void prepare_as_huggingface(VitConfig& config, const std::string& type);

/// torchvision's weights, which were trained by its own recipe or are those of SWAG
/// (arXiv 2201.08371) where the shapes tell.
void prepare_as_torchvision(VitConfig& config);

}  // namespace vit
