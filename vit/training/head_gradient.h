#pragma once

#include <cstdint>

#include <vit/kernels/head_attention.h>
#include <vit/kernels/workspace.h>

namespace vit::training {

/// Scratch memory of attend_backward() for up to `tokens` tokens; columns as in kernels::Head.
template <typename T>
struct HeadGradientScratch {
  HeadGradientScratch(kernels::Workspace& workspace, int64_t tokens, int64_t columns);

  int64_t query_rows;  ///< queries that are worked on together, a multiple of simd::kPad
  T* keys;             ///< packed as the right-hand side of scores
  T* values;           ///< likewise, of the gradients of probabilities
  T* key_rows;         ///< packed as the right-hand side of query gradients
  T* query_rows_data;  ///< likewise, of key gradients
  T* gradient_rows;    ///< likewise, of value gradients
  float* scores;       ///< [query_rows, tokens]
  float* gradients;    ///< likewise
  T* transposed;       ///< [tokens, query_rows]
  float* tile;         ///< of query gradients
  float* dk;           ///< [tokens, columns]
  float* dv;           ///< likewise
};

/// Backward pass of kernels::attend(). `gradient` [tokens, dim] is that of its result, in rows
/// `gradient_ld` apart; those of q, k and v go to rows `ld` apart. No padded columns:
/// head.dim == head.columns. Where several heads have their keys and values in common, those get
/// the sum, after the last of the heads, if they come one after the other with one scratch memory.
template <typename T>
struct HeadGradient {
  const T* gradient;
  int64_t gradient_ld;
  T* dq;
  T* dk;
  T* dv;
  int64_t ld;
  bool first = true;
  bool last = true;
};
template <typename T>
void attend_backward(const kernels::Head<T>& head, const HeadGradientScratch<T>& scratch,
                     const HeadGradient<T>& out);

}  // namespace vit::training
