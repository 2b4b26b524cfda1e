#pragma once

#include <cstdint>

#include <vit/extent.h>

namespace vit {

/// Where the bias of a displacement between two patches comes from.
enum class RelativeBiasKind {
  table,    ///< a learned number for each displacement and head (BEiT, arXiv 2106.08254)
  log_mlp,  ///< a small MLP of the logarithms of the displacement (Swin V2, arXiv 2111.09883)
};

/// What attention adds to the logits of a pair of tokens, by the displacement of their patches.
/// Where tokens stand for several patches it is the mean over all pairs of their patches.
struct RelativeBiasConfig {
  RelativeBiasKind kind = RelativeBiasKind::table;
  Size2d grid;  ///< of patches
  /// Tokens in front of them. For the one that a table may have, the class token, it has three more
  /// entries: class to patch, patch to class and class to itself. An MLP gives them no bias.
  int64_t prefix_tokens = 0;
  bool shared = false;       ///< all blocks have the same
  int64_t hidden_dim = 512;  ///< of the MLP

  int64_t tokens() const { return prefix_tokens + grid.height * grid.width; }
  /// Displacements of two patches.
  int64_t displacements() const { return (2 * grid.height - 1) * (2 * grid.width - 1); }
  /// Entries of a table for each head.
  int64_t entries() const { return displacements() + (prefix_tokens ? 3 : 0); }
  bool operator==(const RelativeBiasConfig&) const = default;
};

}  // namespace vit
