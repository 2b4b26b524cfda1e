#pragma once

#include <vit/config.h>
#include <vit/weights/json.h>

namespace vit {

/// The image processor of the transformers library (5.23) that a model of `model_type` gets where
/// no file names one, for the pictures that the model takes and its patches.
PicturePreprocessing huggingface_preprocessing(const std::string& model_type, Size2d image_size,
                                               Size2d patch);

/// Reads what an image processor wrote: a preprocessor_config.json, or the part "image_processor"
/// of a processor_config.json. What it leaves out has the value of its class. Throws Error for a
/// class and for values that the library or this one cannot use.
void read_huggingface_processor(const JsonNode& root, ModelConfig& config);

}  // namespace vit
