#pragma once

#include <string>

#include <vit/config.h>

// The parts of a model in words, for `vitome inspect`.

namespace inspect {

/// "a learned table, rotary (2 axes, centered, base 100, half layout)"; "none".
std::string positions_text(const vit::VitConfig& config);

/// Where tokens stand that merging has formed; "" where a model does not look at that.
std::string merged_positions_text(const vit::VitConfig& config);

/// "12 heads, 4 of keys and values, norm on q and k"
std::string attention_text(const vit::VitConfig& config);

/// "RMS norm, eps 1e-06, before the branches"
std::string norms_text(const vit::VitConfig& config);

/// "SwiGLU, width 2048, norm before its second layer"
std::string mlp_text(const vit::VitConfig& config);

}  // namespace inspect
