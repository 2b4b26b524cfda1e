#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace tome {

/// Which tokens of a sequence merge into which. All indices are int64.
///
/// keep and removed together name every input position once. A row of the output is the token at
/// keep[row] together with all removed tokens whose `into` is that row.
struct Matching {
  at::Tensor keep;     ///< [B, N - r] input position that each output row stands at
  at::Tensor removed;  ///< [B, r] input positions without a row of their own, ascending
  at::Tensor into;     ///< [B, r] output row that each removed token goes into

  /// Tokens before and after merging.
  int64_t tokens() const { return keep.size(1) + removed.size(1); }
  int64_t rows() const { return keep.size(1); }
};

/// Bipartite soft matching (Token Merging, arXiv 2210.09461): tokens at even positions (A) each
/// choose the most similar token at an odd position (B) by cosine similarity of `metric` [B, N, d],
/// and the `r` most similar pairs merge.
///
/// The first `prefix_tokens` tokens never merge nor receive. r is capped at half of the others.
/// Output rows: the prefix, the remaining A tokens, the remaining B tokens, each ascending by
/// position; without any prefix token the remaining A tokens stand in descending order of their
/// best similarity, as in the official implementation. A zero row is similar to nothing (0).
/// Throws c10::Error for a metric that is not [B, N, d] floating point, or negative arguments.
Matching bipartite_soft_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens = 0);

/// Every group of `k` neighbouring tokens keeps its last; each other token of the whole sequence
/// merges into the most similar kept one. N is cut down to a multiple of k: the tokens after it
/// are in neither keep nor removed. Output rows ascend by position.
Matching kth_bipartite_matching(const at::Tensor& metric, int64_t k);

/// `r` random patch tokens merge into the most similar of the others; the prefix stays out of it.
/// r is capped so that at least one patch token stays. Output rows ascend by position.
Matching random_bipartite_matching(const at::Tensor& metric, int64_t r, int64_t prefix_tokens = 0,
                                   std::optional<at::Generator> generator = std::nullopt);

/// Tokens that bipartite_soft_matching removes when asked for `r`.
int64_t merged_count(int64_t r, int64_t tokens, int64_t prefix_tokens);

}  // namespace tome
