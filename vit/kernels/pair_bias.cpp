#include <vit/kernels/pair_bias.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

const float* PairBias::row(int64_t query) const {
  if (!members.begins) return table + query * ld;
  const int64_t *begins = members.begins, *tokens_of = members.members;
  const int64_t first = begins[query], count = begins[query + 1] - first;
  const float* of_query = table + tokens_of[first] * ld;
  if (count > 1) {
    simd::weighted_rows(table, ld, tokens_of + first, members.weights + first, count, sums);
    of_query = sums;
  }
  for (int64_t key = 0; key < tokens; ++key) {
    const int64_t begin = begins[key], end = begins[key + 1];
    float sum = of_query[tokens_of[begin]];
    for (int64_t i = begin + 1; i < end; ++i) sum += of_query[tokens_of[i]];
    out[key] = sum * members.weights[begin];
  }
  for (int64_t key = 0; key_bias && key < tokens; ++key) out[key] += key_bias[key];
  return out;
}

}  // namespace vit::kernels
