#pragma once

#include <vit/groups.h>
#include <vit/token_reducer.h>

namespace vit::merging {

/// Forms the rows that `groups` say of the tokens of `state`, with their sizes, sources and
/// positions. Differentiable in the tokens, and in the weights and sizes of `groups`. Throws Error
/// if the groups of a tensor on the CPU do not hold together (see check_groups()), c10::Error for
/// tensors of other shapes.
void apply_groups(const TokenReducer& reducer, const BatchGroups& groups, TokenState& state);

}  // namespace vit::merging
