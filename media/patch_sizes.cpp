#include <algorithm>
#include <cmath>

#include <media/preprocess.h>
#include <vit/error.h>

namespace media {
namespace {

/// Patches along one side of a scaled picture.
int64_t patches_along(int64_t side, double scale, int64_t patch) {
  const double patches = std::ceil(static_cast<double>(side) * scale / static_cast<double>(patch));
  return std::max<int64_t>(1, static_cast<int64_t>(patches));
}

}  // namespace

vit::Size2d size_of_patches(vit::Size2d picture, vit::Size2d patch, int64_t max_patches) {
  if (std::min({picture.height, picture.width, patch.height, patch.width, max_patches}) < 1)
    vit::fail("size_of_patches: a picture of ", picture.height, "x", picture.width,
              " pixels in at most ", max_patches, " patches of ", patch.height, "x", patch.width,
              "; expected positive numbers");
  const auto grid = [&](double scale) {
    return vit::Size2d{patches_along(picture.height, scale, patch.height),
                       patches_along(picture.width, scale, patch.width)};
  };
  const auto fits = [&](vit::Size2d patches) {
    return patches.height <= max_patches / patches.width;
  };
  constexpr double kExact = 1e-5;
  double low = kExact / 10, high = 100;
  while (high - low >= kExact) {
    const double middle = (low + high) / 2;
    (fits(grid(middle)) ? low : high) = middle;
  }
  const vit::Size2d patches = grid(low);
  if (!fits(patches))
    vit::fail("preprocess: a picture of ", picture.width, " x ", picture.height,
              " pixels is too long for ", max_patches, " patches of ", patch.width, " x ",
              patch.height, " pixels; choose more patches");
  return {patches.height * patch.height, patches.width * patch.width};
}

}  // namespace media
