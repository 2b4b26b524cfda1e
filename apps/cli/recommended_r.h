#pragma once

#include <cstdint>

#include <vit/config.h>

namespace cli {

/// Largest constant r that every layer can merge in full.
int64_t largest_r(const vit::VitConfig& config);

/// The constant r that merges four fifths of the patches, a good start: 13 for ViT-B/16 at 224, as
/// in the paper (arXiv 2210.09461).
int64_t recommended_r(const vit::VitConfig& config);

}  // namespace cli
