#pragma once

#include <filesystem>

#include <vit/vision_transformer.h>

namespace test {

/// Float32 against the libraries' own float32.
constexpr double kGoldenTolerance = 1e-4;

/// Loads the checkpoint of a golden folder and compares what it computes with io.safetensors: the
/// whole model, and every setting of cases.json, through the fused blocks and once more as separate
/// operators. Returns the model, without a reducer.
vit::VisionTransformer check_golden_case(const std::filesystem::path& folder);

}  // namespace test
