#pragma once

#include "tests/support/skip.h"

#include <vit/kernels/product.h>

namespace test {

/// Why tests of kernels that multiply `math` are skipped.
inline const char* not_native(vit::kernels::Math math) {
  using vit::kernels::Math;
  return math == Math::fp32   ? "this CPU has no kernels for float32 (in this LibTorch)"
         : math == Math::bf16 ? "this CPU does not multiply bfloat16 (in this LibTorch)"
                              : "this CPU does not multiply 8-bit integers (in this LibTorch)";
}

}  // namespace test

/// Leaves a test case, or what is left of it, where that math is not native.
#define SKIP_UNLESS_NATIVE(math) \
  if (!vit::kernels::is_native(math)) SKIP_TEST(test::not_native(math))
