#include <algorithm>
#include <cmath>

#include <vit/error.h>
#include <vit/merging/check_groups.h>

namespace vit::merging {
namespace {

constexpr int64_t kUnnamed = -2;

template <typename... Parts>
[[noreturn]] void wrong(const LayerTokens& at, const Parts&... parts) {
  fail("token reducer: its groups for a sample of ", at.tokens, " tokens, ", at.prefix_tokens,
       " of them prefix tokens, in layer ", at.layer, " of ", at.depth, " are wrong: ", parts...);
}

void check_index(const LayerTokens& at, const char* name, int64_t i, int64_t value, int64_t low,
                 int64_t end) {
  if (value < low || value >= end)
    wrong(at, name, "[", i, "] is ", value, ", expected ", low, " to ", end - 1);
}

void check_numbers(const TokenReducer& reducer, const LayerTokens& at, const Groups& groups) {
  const int64_t rows = groups.rows, count = groups.count;
  if (rows < std::max<int64_t>(at.prefix_tokens, 1) || rows > at.tokens)
    wrong(at, "rows is ", rows, ", expected ", std::max<int64_t>(at.prefix_tokens, 1), " to ",
          at.tokens);
  if (const auto expected = reducer.tokens_after(at); expected && *expected != rows)
    wrong(at, "rows is ", rows, ", but tokens_after() says ", *expected);
  const int64_t standing = rows - std::count(groups.keep, groups.keep + rows, -1);
  if (count != at.tokens - standing)
    wrong(at, "count is ", count, ", expected ", at.tokens - standing, ": ", standing,
          " tokens have a row of their own");
}

}  // namespace

std::optional<ReducerNeeds> checked_needs(const TokenReducer* reducer, const LayerTokens& at,
                                          bool class_token) {
  const auto needs = reducer ? reducer->needs(at) : std::nullopt;
  if (needs && needs->class_attention && !class_token)
    fail("token reducer: it needs the attention from the class token, which this model has not");
  return needs;
}

bool check_groups(const TokenReducer& reducer, const LayerTokens& at, const Groups& groups,
                  int64_t* row_of) {
  check_numbers(reducer, at, groups);
  bool complete = true;
  std::fill_n(row_of, at.tokens, kUnnamed);
  for (int64_t row = 0; row < groups.rows; ++row) {
    const int64_t token = groups.keep[row];
    check_index(at, "keep", row, token, -1, at.tokens);
    if (row < at.prefix_tokens && token != row)
      wrong(at, "keep[", row, "] is ", token, ", expected the prefix token ", row);
    complete = complete && token >= 0;
    if (token < 0) continue;
    if (row_of[token] != kUnnamed) wrong(at, "token ", token, " is named twice");
    row_of[token] = row;
  }
  for (int64_t i = 0; i < groups.count; ++i) {
    const int64_t token = groups.removed[i], row = groups.into[i];
    check_index(at, "removed", i, token, 0, at.tokens);
    check_index(at, "into", i, row, -1, groups.rows);
    if (row_of[token] != kUnnamed) wrong(at, "token ", token, " is named twice");
    if (row >= 0 && row < at.prefix_tokens)
      wrong(at, "into[", i, "] is ", row, ", and nothing goes into a prefix token");
    row_of[token] = row;
    complete = complete && row >= 0;
  }
  if (groups.size_rule == SizeRule::given)
    for (int64_t row = 0; row < groups.rows; ++row)
      if (!(groups.sizes[row] > 0) || std::isinf(groups.sizes[row]))
        wrong(at, "sizes[", row, "] is ", groups.sizes[row], ", expected a number above 0");
  if (complete) return true;
  for (int64_t row = at.prefix_tokens; row < groups.rows; ++row)
    if (groups.keep[row] < 0 &&
        std::find(groups.into, groups.into + groups.count, row) == groups.into + groups.count)
      wrong(at, "the new row ", row, " has no tokens");
  return false;
}

}  // namespace vit::merging
