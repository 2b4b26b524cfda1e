#pragma once

#include <cstdint>
#include <optional>

#include <vit/groups.h>
#include <vit/token_reducer.h>

namespace vit::merging {

/// What `reducer`, which may be null, needs in a layer. Throws Error if that is the attention from
/// a class token and there is none.
std::optional<ReducerNeeds> checked_needs(const TokenReducer* reducer, const LayerTokens& at,
                                          bool class_token);

/// Throws Error, naming layer, place and what was expected, unless `groups` are what Groups
/// promises for one sample, with as many rows as the reducer said before. `row_of` is room for
/// at.tokens numbers and gets the row that each token is in, or -1. Returns whether every token is
/// in a row and every row stands at a token.
bool check_groups(const TokenReducer& reducer, const LayerTokens& at, const Groups& groups,
                  int64_t* row_of);

}  // namespace vit::merging
