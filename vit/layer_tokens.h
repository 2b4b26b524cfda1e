#pragma once

#include <cstdint>

namespace vit {

/// The tokens that enter one block of a model.
struct LayerTokens {
  int64_t layer = 0;          ///< index of the block
  int64_t depth = 0;          ///< number of blocks
  int64_t tokens = 0;         ///< with the prefix tokens
  int64_t prefix_tokens = 0;  ///< class, distillation and register tokens, always the first ones
};

}  // namespace vit
