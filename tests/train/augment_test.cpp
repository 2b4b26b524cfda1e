#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <ATen/ATen.h>

#include <apps/train/augment.h>
#include <vit/error.h>

namespace {

at::Tensor noise(int64_t height, int64_t width) {
  return at::randint(0, 256, {height, width, 3}, at::kByte);
}

}  // namespace

TEST_CASE("A view depends on its seed alone") {
  vit::Preprocessing how;
  how.input_size = {32, 32};
  const train::Augment augment(
      {.color_jitter = 0.4, .auto_augment = "rand-m9-n2-mstd0.5", .erasing = 1.0}, how);
  const at::Tensor picture = noise(50, 40);
  const at::Tensor view = augment(picture, 7);
  CHECK(view.sizes() == at::IntArrayRef{3, 32, 32});
  CHECK(test::same(augment(picture, 7), view));
  CHECK(!test::same(augment(picture, 8), view));
}
