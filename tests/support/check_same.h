#pragma once

#include <vit/weights/state_dict.h>

namespace test {

/// Checks that there are the same tensors under the same names: dtypes, shapes and every bit.
void check_same(const vit::StateDict& got, const vit::StateDict& expected);

}  // namespace test
