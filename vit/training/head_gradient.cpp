#include <algorithm>

#include <vit/kernels/product.h>
#include <vit/training/head_gradient.h>
#include <vit/training/matrices.h>
#include <vit/training/simd.h>

namespace vit::training {
namespace {

using kernels::kBlockColumns;

// Scores of one round, and as much for their gradients, beside what is packed.
constexpr int64_t kScoreBytes = 160 * 1024;

/// Runs `work` on the blocks of `columns` columns: the first one and their number.
template <typename F>
void each_block(int64_t columns, const F& work) {
  for (int64_t first = 0; first < columns; first += kBlockColumns)
    work(first, std::min(kBlockColumns, columns - first));
}

/// Packs `rows` rows of `columns` columns, from `first` on in rows of `ld`, as a right-hand side.
template <typename T>
void pack_rows(const T* x, int64_t ld, int64_t rows, int64_t columns, T* out) {
  const int64_t padded = simd::round_up(rows);
  each_block(columns, [&](int64_t first, int64_t width) {
    simd::pack_values(x, rows, padded, ld, first, width, out + first * padded);
  });
}

/// out [m, columns] (+)= a [m, inner] times what pack_rows() packed of `inner` rows.
template <typename T>
void multiply_rows(int64_t m, int64_t inner, int64_t columns, const T* a, int64_t lda, const T* b,
                   float* out, int64_t ldc, bool add) {
  each_block(columns, [&](int64_t first, int64_t width) {
    kernels::multiply(kMath<T>, m, width, inner, a, lda, b + first * inner, out + first, ldc, add);
  });
}

template <typename T>
void store_rows(const float* x, int64_t rows, int64_t columns, T* out, int64_t ld) {
  each_block(columns, [&](int64_t first, int64_t width) {
    simd::store({x + first, columns, rows, width}, kNoBias, out + first, ld);
  });
}

}  // namespace

template <typename T>
HeadGradientScratch<T>::HeadGradientScratch(kernels::Workspace& workspace, int64_t tokens,
                                            int64_t columns) {
  const int64_t padded = simd::round_up(tokens);
  const int64_t fit = kScoreBytes / static_cast<int64_t>(sizeof(float)) / padded;
  const int64_t rounds = (tokens + std::max(fit, simd::kPad) - 1) / std::max(fit, simd::kPad);
  query_rows = simd::round_up((tokens + rounds - 1) / rounds);
  keys = workspace.take<T>(padded * columns);
  values = workspace.take<T>(padded * columns);
  key_rows = workspace.take<T>(padded * columns);
  query_rows_data = workspace.take<T>(query_rows * columns);
  gradient_rows = workspace.take<T>(query_rows * columns);
  scores = workspace.take<float>(query_rows * padded);
  gradients = workspace.take<float>(query_rows * padded);
  transposed = workspace.take<T>(padded * query_rows);
  tile = workspace.take<float>(query_rows * columns);
  dk = workspace.take<float>(padded * columns);
  dv = workspace.take<float>(padded * columns);
}

template <typename T>
void attend_backward(const kernels::Head<T>& head, const HeadGradientScratch<T>& scratch,
                     const HeadGradient<T>& out) {
  constexpr kernels::Math math = kMath<T>;
  constexpr int64_t kNumbersPerScore = sizeof(float) / sizeof(T);
  const int64_t n = head.tokens, padded = simd::round_up(n), columns = head.columns;
  const int64_t score_ld = padded * kNumbersPerScore;
  simd::pack_keys(head.k, n, padded, columns, kBlockColumns, scratch.keys);
  simd::pack_keys(head.v, n, padded, columns, kBlockColumns, scratch.values);
  pack_rows(head.k, columns, n, columns, scratch.key_rows);

  for (int64_t row = 0; row < n; row += scratch.query_rows) {
    const int64_t m = std::min(scratch.query_rows, n - row), padded_m = simd::round_up(m);
    const T* q = head.q + row * columns;
    const T* gradient = out.gradient + row * out.gradient_ld;
    each_block(padded, [&](int64_t key, int64_t width) {
      kernels::multiply(math, m, width, columns, q, columns, scratch.keys + key * columns,
                        scratch.scores + key, padded);
      kernels::multiply(math, m, width, columns, gradient, out.gradient_ld,
                        scratch.values + key * columns, scratch.gradients + key, padded);
    });
    for (int64_t i = 0; i < m; ++i) {
      float* scores = scratch.scores + i * padded;
      const float factor = simd::softmax<T>(scores, n, padded, head.scale, head.bias);
      simd::softmax_backward(reinterpret_cast<T*>(scores), factor, head.scale, padded,
                             scratch.gradients + i * padded);
    }
    const auto* probabilities = reinterpret_cast<const T*>(scratch.scores);
    const auto* dscores = reinterpret_cast<const T*>(scratch.gradients);

    multiply_rows(m, padded, columns, dscores, score_ld, scratch.key_rows, scratch.tile, columns,
                  false);
    store_rows(scratch.tile, m, columns, out.dq + row * out.ld, out.ld);

    pack_rows(q, columns, m, columns, scratch.query_rows_data);
    simd::transpose(dscores, score_ld, m, padded_m, padded, scratch.transposed, padded_m);
    multiply_rows(n, padded_m, columns, scratch.transposed, padded_m, scratch.query_rows_data,
                  scratch.dk, columns, row > 0 || !out.first);

    pack_rows(gradient, out.gradient_ld, m, columns, scratch.gradient_rows);
    simd::transpose(probabilities, score_ld, m, padded_m, padded, scratch.transposed, padded_m);
    multiply_rows(n, padded_m, columns, scratch.transposed, padded_m, scratch.gradient_rows,
                  scratch.dv, columns, row > 0 || !out.first);
  }
  if (!out.last) return;
  store_rows(scratch.dk, n, columns, out.dk, out.ld);
  store_rows(scratch.dv, n, columns, out.dv, out.ld);
}

template struct HeadGradientScratch<float>;
template struct HeadGradientScratch<simd::Bf16>;
template void attend_backward(const kernels::Head<float>&, const HeadGradientScratch<float>&,
                              const HeadGradient<float>&);
template void attend_backward(const kernels::Head<simd::Bf16>&,
                              const HeadGradientScratch<simd::Bf16>&,
                              const HeadGradient<simd::Bf16>&);

}  // namespace vit::training
