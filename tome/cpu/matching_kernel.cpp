#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <c10/util/BFloat16.h>

#include <tome/cpu/cosine.h>
#include <tome/kernels.h>

namespace tome::cpu {
namespace {

/// A thread's memory, kept from layer to layer.
struct Scratch {
  std::vector<float> a, b, scores, best;
  std::vector<int64_t> partner, order;
};

/// Every A token's most similar B token.
struct Edges {
  int64_t a_prefix, b_prefix;  // A and B tokens of the prefix, which take no part
  int64_t na, nb;              // the others
  const float* best;           // [na] similarity; NaN, which has no place in an order, is -inf
  const int64_t* partner;      // [na] index among the B tokens
};

template <typename T>
Edges find_edges(const T* metric, int64_t tokens, int64_t dim, int64_t prefix_tokens,
                 Scratch& scratch) {
  auto& [a, b, scores, best, partner, order] = scratch;
  const int64_t a_prefix = (prefix_tokens + 1) / 2, b_prefix = prefix_tokens / 2;
  const int64_t na = (tokens + 1) / 2 - a_prefix, nb = tokens / 2 - b_prefix;
  a.resize(na * dim);
  b.resize(nb * dim);
  scores.resize(na * nb);
  best.assign(na, -std::numeric_limits<float>::infinity());
  partner.assign(na, 0);
  const Edges edges{a_prefix, b_prefix, na, nb, best.data(), partner.data()};
  if (nb == 0) return edges;
  unit_rows(metric + 2 * a_prefix * dim, 2, na, dim, a.data());
  unit_rows(metric + (2 * b_prefix + 1) * dim, 2, nb, dim, b.data());
  products(a.data(), na, b.data(), nb, dim, scores.data());
  for (int64_t i = 0; i < na; ++i) {
    const float* row = scores.data() + i * nb;
    partner[i] = std::max_element(row, row + nb) - row;
    if (!std::isnan(row[partner[i]])) best[i] = row[partner[i]];
  }
  return edges;
}

/// Merges the r best A tokens.
void select(const Edges& edges, int64_t r, int64_t prefix_tokens, std::vector<int64_t>& order,
            int64_t* keep, int64_t* removed, int64_t* into) {
  order.resize(edges.na);
  std::iota(order.begin(), order.end(), 0);
  const auto before = [best = edges.best](int64_t i, int64_t j) {
    return best[i] != best[j] ? best[i] > best[j] : i < j;
  };
  if (prefix_tokens == 0) {
    std::sort(order.begin(), order.end(), before);
  } else {
    // Only which rows are the r best matters, not their order among each other.
    std::nth_element(order.begin(), order.begin() + r, order.end(), before);
    std::sort(order.begin() + r, order.end());
  }
  std::sort(order.begin(), order.begin() + r);

  const int64_t first_b_row = prefix_tokens + edges.na - r;
  for (int64_t i = 0; i < r; ++i) {
    removed[i] = 2 * (order[i] + edges.a_prefix);
    into[i] = first_b_row + edges.partner[order[i]];
  }
  for (int64_t i = 0; i < prefix_tokens; ++i) *keep++ = i;
  for (int64_t i = r; i < edges.na; ++i) *keep++ = 2 * (order[i] + edges.a_prefix);
  for (int64_t i = 0; i < edges.nb; ++i) *keep++ = 2 * (i + edges.b_prefix) + 1;
}

Scratch& scratch_of_thread() {
  thread_local Scratch scratch;
  return scratch;
}

}  // namespace

template <typename T>
void match(const T* metric, int64_t tokens, int64_t dim, int64_t r, int64_t prefix_tokens,
           int64_t* keep, int64_t* removed, int64_t* into) {
  Scratch& scratch = scratch_of_thread();
  const Edges edges = find_edges(metric, tokens, dim, prefix_tokens, scratch);
  select(edges, r, prefix_tokens, scratch.order, keep, removed, into);
}

int64_t match_above(const float* metric, int64_t tokens, int64_t dim, double threshold,
                    int64_t prefix_tokens, int64_t* keep, int64_t* removed, int64_t* into) {
  Scratch& scratch = scratch_of_thread();
  const Edges edges = find_edges(metric, tokens, dim, prefix_tokens, scratch);
  const int64_t r = std::count_if(edges.best, edges.best + edges.na,
                                  [&](float best) { return best > threshold; });
  select(edges, r, prefix_tokens, scratch.order, keep, removed, into);
  return r;
}

template void match<float>(const float*, int64_t, int64_t, int64_t, int64_t, int64_t*, int64_t*,
                           int64_t*);
template void match<c10::BFloat16>(const c10::BFloat16*, int64_t, int64_t, int64_t, int64_t,
                                   int64_t*, int64_t*, int64_t*);

}  // namespace tome::cpu
