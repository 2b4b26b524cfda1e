#pragma once

#include <cstdint>
#include <vector>

#include <vit/config.h>
#include <vit/token_reducer.h>

namespace vit {

/// Tokens that enter the MLP of each of `depth` blocks, of `tokens` that enter the first; `reducer`
/// may be null.
std::vector<int64_t> tokens_per_layer(int64_t depth, int64_t tokens, int64_t prefix_tokens,
                                      const TokenReducer* reducer);
std::vector<int64_t> tokens_per_layer(const VitConfig& config, const TokenReducer* reducer);

/// Multiply-adds of one input's forward pass, in units of 1e9 (what papers call GFLOPs: ViT-B/16 at
/// 224 has 17.6). Matrix products only, the reducer's own matching excluded.
double gflops(const VitConfig& config, const TokenReducer* reducer);

}  // namespace vit
