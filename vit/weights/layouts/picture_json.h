#pragma once

#include <nlohmann/json.hpp>

#include <vit/input_config.h>
#include <vit/weights/json.h>

// What of a picture's preprocessing stands in a config.json under which name.

namespace vit {

/// What timm 1.0.31 makes of a pretrained_cfg: what it leaves out, or says as 0 or as an empty
/// list, is bicubic, 0.875 of the picture, and ImageNet's mean and standard deviation. `how` keeps
/// its input size.
void read_timm_preprocessing(const JsonNode& cfg, int64_t channels, PicturePreprocessing& how);

/// The same as timm would write it; the nearest there is for what it has no word for.
nlohmann::ordered_json timm_preprocessing_json(const PicturePreprocessing& how);

/// What timm has no word for, all of it, and back.
nlohmann::ordered_json picture_extension_json(const PicturePreprocessing& how);
void read_picture_extension(const JsonNode& node, PicturePreprocessing& how);

}  // namespace vit
