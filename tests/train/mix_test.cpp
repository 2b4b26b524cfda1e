#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <ATen/ATen.h>

#include <apps/train/mix.h>
#include <vit/error.h>

TEST_CASE("Mixup of a batch follows its seed") {
  const at::Tensor pixels = at::rand({4, 3, 8, 8});
  const at::Tensor targets = at::eye(4);
  at::Tensor a = pixels.clone(), b = pixels.clone(), s = targets.clone(), t = targets.clone();
  train::mix_batch(a, s, {.mixup = 0.8}, 3);
  train::mix_batch(b, t, {.mixup = 0.8}, 3);
  CHECK(test::same(a, b));
  CHECK(test::same(s, t));
  CHECK(!test::same(a, pixels));
}
