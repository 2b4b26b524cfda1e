#pragma once

#include <cstdint>
#include <vector>

#include <vit/config.h>
#include <vit/token_reducer.h>

namespace vit {

/// Tokens that enter the MLP of each block from `first` on; `reducer` may be null. Where it only
/// knows them when the model has run, these are the most there can be: as if that layer removed
/// nothing.
std::vector<int64_t> tokens_per_layer(const LayerTokens& first, const TokenReducer* reducer);
std::vector<int64_t> tokens_per_layer(const VitConfig& config, const TokenReducer* reducer);

/// Whether tokens_per_layer() and gflops() are exact.
bool knows_tokens(const VitConfig& config, const TokenReducer* reducer);

/// Multiply-adds of one input's forward pass, in units of 1e9 (what papers call GFLOPs: ViT-B/16 at
/// 224 has 17.6), with the tokens of tokens_per_layer(). Matrix products only, the reducer's own
/// matching excluded.
double gflops(const VitConfig& config, const TokenReducer* reducer);

}  // namespace vit
