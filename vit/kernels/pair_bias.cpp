#include <algorithm>

#include <vit/kernels/pair_bias.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

const float* PairBias::row(int64_t query) const {
  if (!members.begins) return table + query * ld;
  const int64_t *begins = members.begins, *tokens_of = members.members;
  const int64_t first = begins[query], count = begins[query + 1] - first;
  if (count > 1)
    simd::weighted_rows(table, ld, tokens_of + first, members.weights + first, count, sums);
  else
    std::copy_n(table + tokens_of[first] * ld, ld, sums);
  // The sum of each key's members takes the place of the first.
  for (int64_t i = 0; i < members.merged_count; ++i) {
    const int64_t key = members.merged[i];
    float sum = 0;
    for (int64_t j = begins[key]; j < begins[key + 1]; ++j) sum += sums[tokens_of[j]];
    sums[members.firsts[key]] = sum;
  }
  simd::gather_scaled(sums, members.firsts, members.shares, key_bias, simd::round_up(tokens), out);
  return out;
}

}  // namespace vit::kernels
