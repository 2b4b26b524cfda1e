#pragma once

#include <cstdint>

namespace tome {

namespace cpu {

// Kernels for one sample each, on raw pointers: callers split batches over threads.

/// Bipartite soft matching of one sample, as tome::bipartite_soft_matching describes it. `metric`
/// [tokens, dim] row-major, r already capped and positive. Writes keep [tokens - r], removed [r]
/// and into [r]. Ties go to the lower position.
template <typename T>
void match(const T* metric, int64_t tokens, int64_t dim, int64_t r, int64_t prefix_tokens,
           int64_t* keep, int64_t* removed, int64_t* into);

/// The same for all pairs with a cosine similarity above `threshold`, in rows of the same order.
/// Returns their number r, perhaps 0.
int64_t match_above(const float* metric, int64_t tokens, int64_t dim, double threshold,
                    int64_t prefix_tokens, int64_t* keep, int64_t* removed, int64_t* into);

/// How match_by_energy() ranks tokens and pairs them.
struct EnergyRule {
  double margin;
  double alpha;
  bool among_all;  ///< all tokens pair, and the best r of those pairs merge; else the first 2r do
};

/// The matching of one sample by PiToMe (see tome::PitomeReducer); r positive and at most half of
/// the patch tokens. Arrays as in match().
void match_by_energy(const float* metric, int64_t tokens, int64_t dim, int64_t r,
                     int64_t prefix_tokens, const EnergyRule& rule, int64_t* keep, int64_t* removed,
                     int64_t* into);

}  // namespace cpu
}  // namespace tome
