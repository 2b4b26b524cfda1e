#pragma once

#include <cstdint>

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
  int64_t rows = 0;  ///< of the grid of patches
  int64_t cols = 0;
  /// A table has three entries more: from the class token to patches, back, and to itself. Without
  /// them the pairs of prefix tokens have no bias.
  bool class_entries = true;
  bool shared = false;       ///< all blocks have the same
  int64_t hidden_dim = 512;  ///< of the MLP

  /// Entries of a table for each head.
  int64_t entries() const { return (2 * rows - 1) * (2 * cols - 1) + (class_entries ? 3 : 0); }
  bool operator==(const RelativeBiasConfig&) const = default;
};

}  // namespace vit
