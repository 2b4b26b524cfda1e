#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <tome/cpu/cosine.h>
#include <tome/kernels.h>

namespace tome::cpu {
namespace {

/// A thread's memory, kept from layer to layer. Tokens count from the first patch token.
struct Scratch {
  std::vector<float> unit, similarity, energy, best;
  std::vector<int64_t> ranks, partner, order, row_of;
};

/// Tokens in descending order of their mean f(similarity - margin) to all others and itself.
void rank_by_energy(int64_t patches, double margin, double alpha, Scratch& scratch) {
  auto& [unit, similarity, energy, best, ranks, partner, order, row_of] = scratch;
  energy.resize(patches);
  const auto m = static_cast<float>(margin), scale = static_cast<float>(alpha);
  for (int64_t i = 0; i < patches; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < patches; ++j) {
      const float above = similarity[i * patches + j] - m;
      sum += above > 0 ? above : scale * (std::exp(above) - 1.0f);
    }
    // NaN has no place in an order.
    energy[i] = std::isnan(sum) ? 0.0f : sum / static_cast<float>(patches);
  }
  ranks.resize(patches);
  std::iota(ranks.begin(), ranks.end(), 0);
  std::stable_sort(ranks.begin(), ranks.end(),
                   [&](int64_t i, int64_t j) { return energy[i] > energy[j]; });
}

}  // namespace

void match_by_energy(const float* metric, int64_t tokens, int64_t dim, int64_t r,
                     int64_t prefix_tokens, const EnergyRule& rule, int64_t* keep, int64_t* removed,
                     int64_t* into) {
  thread_local Scratch scratch;
  auto& [unit, similarity, energy, best, ranks, partner, order, row_of] = scratch;
  const int64_t patches = tokens - prefix_tokens;
  unit.resize(patches * dim);
  similarity.resize(patches * patches);
  unit_rows(metric + prefix_tokens * dim, 1, patches, dim, unit.data());
  products(unit.data(), patches, unit.data(), patches, dim, similarity.data());
  rank_by_energy(patches, rule.margin, rule.alpha, scratch);

  // A tokens are those of even rank, B tokens of odd rank, among the first `ranked`.
  const int64_t ranked = rule.among_all ? patches : 2 * r;
  const int64_t na = (ranked + 1) / 2, nb = ranked / 2;
  best.assign(na, -std::numeric_limits<float>::infinity());
  partner.assign(na, 0);
  order.resize(na);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = 0; i < na; ++i)
    for (int64_t j = 0; j < nb; ++j) {
      const float s = similarity[ranks[2 * i] * patches + ranks[2 * j + 1]];
      if (!(s > best[i])) continue;
      best[i] = s;
      partner[i] = j;
    }
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t i, int64_t j) { return best[i] > best[j]; });

  const int64_t first_b_row = prefix_tokens + na - r + patches - ranked;
  for (int64_t i = 0; i < prefix_tokens; ++i) *keep++ = i;
  for (int64_t i = r; i < na; ++i) *keep++ = prefix_tokens + ranks[2 * order[i]];
  for (int64_t i = ranked; i < patches; ++i) *keep++ = prefix_tokens + ranks[i];
  for (int64_t j = 0; j < nb; ++j) *keep++ = prefix_tokens + ranks[2 * j + 1];
  row_of.assign(patches, -1);
  for (int64_t i = 0; i < r; ++i) row_of[ranks[2 * order[i]]] = first_b_row + partner[order[i]];
  for (int64_t i = 0; i < patches; ++i) {
    if (row_of[i] < 0) continue;
    *removed++ = prefix_tokens + i;
    *into++ = row_of[i];
  }
}

}  // namespace tome::cpu
