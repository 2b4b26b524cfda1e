#include "train/augment/erasing.h"

#include <cmath>
#include <cstdint>

namespace train {
namespace {

constexpr int kTries = 10;
constexpr double kMinArea = 0.02, kMaxArea = 1.0 / 3.0;
constexpr double kMinRatio = 0.3, kMaxRatio = 1.0 / kMinRatio;

}  // namespace

void random_erase(at::Tensor& pixels, Random& random) {
  const int64_t channels = pixels.size(0), height = pixels.size(1), width = pixels.size(2);
  for (int i = 0; i < kTries; ++i) {
    const double area = static_cast<double>(height * width) * random.uniform(kMinArea, kMaxArea);
    const double ratio = std::exp(random.uniform(std::log(kMinRatio), std::log(kMaxRatio)));
    const int64_t rows = std::llround(std::sqrt(area * ratio));
    const int64_t columns = std::llround(std::sqrt(area / ratio));
    if (rows >= height || columns >= width) continue;
    const int64_t top = random.below(height - rows + 1), left = random.below(width - columns + 1);
    float* data = pixels.mutable_data_ptr<float>();
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = top; y < top + rows; ++y)
        for (int64_t x = left; x < left + columns; ++x)
          data[(c * height + y) * width + x] = random.normal();
    return;
  }
}

}  // namespace train
