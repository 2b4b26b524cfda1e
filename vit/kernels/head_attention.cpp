#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>
#include <numeric>

#include <vit/kernels/head_attention.h>
#include <vit/kernels/product.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {
namespace {

// Scores of one round, so that they stay in a core's second-level cache beside keys and values.
constexpr int64_t kScoreBytes = 256 * 1024;
constexpr int64_t kMinQueryRows = 16;

template <typename T>
constexpr Math kMath = sizeof(T) == sizeof(float) ? Math::fp32 : Math::bf16;

float number(float x) { return x; }
float number(simd::Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }

template <typename T>
float dot(const T* a, const T* b, int64_t padded) {
  float sums[simd::kPad] = {};
  for (int64_t i = 0; i < padded; i += simd::kPad)
    for (int64_t j = 0; j < simd::kPad; ++j) sums[j] += number(a[i + j]) * number(b[i + j]);
  return std::accumulate(std::begin(sums), std::end(sums), 0.0f);
}

}  // namespace

template <typename T>
HeadScratch<T>::HeadScratch(Workspace& workspace, int64_t tokens, int64_t head_columns) {
  const int64_t padded = simd::round_up(tokens);
  const int64_t fit = kScoreBytes / static_cast<int64_t>(sizeof(float)) / padded;
  query_rows = std::min(tokens, std::max(kMinQueryRows, fit));
  keys = workspace.take<T>(padded * head_columns);
  values = workspace.take<T>(padded * head_columns);
  scores = workspace.take<float>(query_rows * padded);
  factors = workspace.take<float>(query_rows);
  sums = workspace.take<float>(query_rows * kBlockColumns);
  rows = workspace.take<T>(query_rows * kBlockColumns);
  pair_sums = workspace.take<float>(padded);
  pair_biases = workspace.take<float>(padded);
}

template <typename T>
void attend(const Head<T>& head, const HeadScratch<T>& scratch, T* out, int64_t out_ld) {
  constexpr Math math = kMath<T>;
  constexpr int64_t kNumbersPerScore = sizeof(float) / sizeof(T);
  const int64_t n = head.tokens, padded = simd::round_up(n), columns = head.columns;
  simd::pack_keys(head.k, n, padded, columns, kBlockColumns, scratch.keys);
  for (int64_t first = 0; first < columns; first += kBlockColumns)
    simd::pack_values(head.v, n, padded, columns, first, std::min(kBlockColumns, columns - first),
                      scratch.values + first * padded);

  for (int64_t row = 0; row < n; row += scratch.query_rows) {
    const int64_t m = std::min(scratch.query_rows, n - row);
    for (int64_t key = 0; key < padded; key += kBlockColumns)
      multiply(math, m, std::min(kBlockColumns, padded - key), columns, head.q + row * columns,
               columns, scratch.keys + key * columns, scratch.scores + key, padded);
    for (int64_t i = 0; i < m; ++i)
      scratch.factors[i] = simd::softmax<T>(scratch.scores + i * padded, n, padded, head.scale,
                                            head.bias_of(row + i));
    for (int64_t first = 0; first < columns; first += kBlockColumns) {
      const int64_t width = std::min(kBlockColumns, columns - first);
      multiply(math, m, width, padded, scratch.scores, padded * kNumbersPerScore,
               scratch.values + first * padded, scratch.sums, width);
      const simd::Tile tile{scratch.sums, width, m, width};
      T* to = out + row * out_ld + first;
      if (first + width <= head.dim) {
        simd::scale_rows(tile, scratch.factors, to, out_ld);
      } else {  // the padding would overwrite the next head
        simd::scale_rows(tile, scratch.factors, scratch.rows, width);
        for (int64_t i = 0; i < m; ++i)
          std::copy_n(scratch.rows + i * width, head.dim - first, to + i * out_ld);
      }
    }
  }
}

template <typename T>
void add_first_attention(const Head<T>& head, const HeadScratch<T>& scratch, float weight,
                         float* out) {
  const float factor = head.scale * std::numbers::log2e_v<float>;
  float* scores = scratch.scores;
  const float* bias = head.bias_of(0);
  float most = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < head.tokens; ++i) {
    scores[i] = dot(head.q, head.k + i * head.columns, head.columns) * factor;
    if (bias) scores[i] += bias[i];
    most = std::max(most, scores[i]);
  }
  float total = 0;
  for (int64_t i = 0; i < head.tokens; ++i) {
    scores[i] = std::exp2(scores[i] - most);
    total += scores[i];
  }
  for (int64_t i = 0; i < head.tokens; ++i) out[i] += weight * (scores[i] / total);
}

template struct HeadScratch<float>;
template struct HeadScratch<simd::Bf16>;
template void attend(const Head<float>&, const HeadScratch<float>&, float*, int64_t);
template void attend(const Head<simd::Bf16>&, const HeadScratch<simd::Bf16>&, simd::Bf16*, int64_t);
template void add_first_attention(const Head<float>&, const HeadScratch<float>&, float, float*);
template void add_first_attention(const Head<simd::Bf16>&, const HeadScratch<simd::Bf16>&, float,
                                  float*);

}  // namespace vit::kernels
