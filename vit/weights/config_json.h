#pragma once

#include <filesystem>

#include <vit/config.h>
#include <vit/weights/mapped_file.h>

namespace vit {

/// Reads the config.json of timm (`architecture` picks the defaults, `model_args`,
/// `pretrained_cfg`, `num_classes` and `global_pool` override them, `label_names` names the
/// classes), of the transformers library (`model_type`; with its processor_config.json or
/// preprocessor_config.json, if there is one in the folder), of OpenCLIP (`model_cfg`), or for
/// torchvision's weights ("library": "torchvision"). Throws Error naming the file and the field:
/// bad JSON, unknown architecture or option, wrong types, values out of range.
ModelConfig read_config(const std::filesystem::path& path);

/// The same for files that are open already; `preprocessor` is either of the two, and may be null.
ModelConfig read_config(const MappedFile& file, const MappedFile* preprocessor);

}  // namespace vit
