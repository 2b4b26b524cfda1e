#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <vit/token_reducer.h>

namespace tome {

/// Which tokens PiToMe pairs, of those ranked by descending energy.
enum class PitomeVariant {
  ordered,  ///< the 2r first: each of ranks 0, 2, … merges into the most similar of ranks 1, 3, …
  bsm,      ///< all: even and odd ranks as in token merging, the r most similar pairs merge
};

/// Values of layers: the first ones' each, the last of them for all that follow.
struct PitomeOptions {
  std::vector<double> ratio{0.9125};  ///< share of the patch tokens that a layer keeps
  /// What a similarity has to exceed to count as energy; empty: initial_margin (1 - layer / depth).
  std::vector<double> margins = {};
  double initial_margin = 0.75;              ///< 0.75 for DeiT and MAE, 0.9 for AugReg and CLIP
  std::vector<PitomeVariant> variants = {};  ///< empty: bsm in the first half of the layers, then
                                             ///< ordered
  double alpha = 1;                          ///< weight of similarities below the margin
  bool prop_attn = false;
};

/// Merges the tokens that have most like them (PiToMe, arXiv 2405.16148), in the definition of its
/// authors' code: a token's energy is the mean over all tokens of f(cosine similarity of the
/// attention keys - margin), f(u) = u above 0 and alpha (exp(u) - 1) below. r = floor(M - M ratio)
/// of the M patch tokens merge, at most half of them, weighted by size.
class PitomeReducer : public vit::TokenReducer {
 public:
  /// Throws vit::Error for a ratio that is not above 0 and at most 1.
  explicit PitomeReducer(PitomeOptions options);

  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override;
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override;
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override;
  bool proportional_attention() const override { return options_.prop_attn; }
  bool proportional_pooling() const override { return true; }
  bool per_sample() const override { return true; }

  const PitomeOptions& options() const { return options_; }

 private:
  PitomeOptions options_;
};

}  // namespace tome
