#pragma once

#include <cstdint>

#include <vit/kernels/pair_bias.h>
#include <vit/kernels/workspace.h>

namespace vit::kernels {

/// Scratch memory of attend() for up to `tokens` tokens.
template <typename T>
struct HeadScratch {
  HeadScratch(Workspace& workspace, int64_t tokens, int64_t head_columns);

  int64_t query_rows;  ///< queries that are worked on together
  T* keys;
  T* values;
  float* scores;
  float* factors;
  float* sums;
  T* rows;             ///< of one output, where heads are no multiple of simd::kPad wide
  float* pair_sums;    ///< for PairBias
  float* pair_biases;  ///< likewise
};

/// One head of one sample: q, k and v [tokens, columns] in rows padded to a multiple of
/// simd::kPad. `T` is float or simd::Bf16.
template <typename T>
struct Head {
  const T* q;
  const T* k;
  const T* v;
  int64_t tokens;
  int64_t columns;    ///< padded
  int64_t dim;        ///< without padding
  float scale;        ///< of the scores
  const float* bias;  ///< [tokens] added to the scores of each key, in units of log2; null for
                      ///< none; readable up to a multiple of simd::kPad
  const PairBias* pairs = nullptr;  ///< takes the place of `bias`; null for none

  /// What is added to the scores of a query; null for nothing.
  const float* bias_of(int64_t query) const { return pairs ? pairs->row(query) : bias; }
};

/// Scaled dot product attention of one head on one thread -> `out` [tokens, dim] in rows `out_ld`
/// apart. All scores of a query are in memory at once, so the softmax is exact in one go.
template <typename T>
void attend(const Head<T>& head, const HeadScratch<T>& scratch, T* out, int64_t out_ld);

/// Adds `weight` times the attention of the first query, after softmax, to `out` [tokens]; exact in
/// float32.
template <typename T>
void add_first_attention(const Head<T>& head, const HeadScratch<T>& scratch, float weight,
                         float* out);

}  // namespace vit::kernels
