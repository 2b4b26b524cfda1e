#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/train/plausible.h"

#include <array>
#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include <train/augment/crop.h>
#include <train/augment/erasing.h>

namespace {

/// How many of the draws fall in each quarter of a range.
class Quarters {
 public:
  Quarters(double low, double high) : low_(low), high_(high) {}
  void add(double value) {
    const double quarter = (value - low_) / (high_ - low_) * 4.0;
    ++counts_[static_cast<size_t>(std::clamp(quarter, 0.0, 3.0))];
  }
  bool even() const {
    int64_t draws = 0;
    for (const int64_t count : counts_) draws += count;
    for (const int64_t count : counts_)
      if (!test::plausible(count, draws, 0.25)) return false;
    return draws > 0;
  }

 private:
  double low_, high_;
  std::array<int64_t, 4> counts_{};
};

constexpr train::CropRange kUsual{0.08, 1.0, 3.0 / 4.0, 4.0 / 3.0};

}  // namespace

TEST_CASE("Areas, aspect ratios and places of crops are evenly distributed") {
  // Parts of at most 0.6 of the area fit into a square at every ratio: nothing is drawn again.
  const train::CropRange range{0.1, 0.6, 0.75, 4.0 / 3.0};
  train::Random random(1);
  Quarters areas(0.1, 0.6), ratios(std::log(0.75), std::log(4.0 / 3.0)), tops(0, 1), lefts(0, 1);
  for (int i = 0; i < 20'000; ++i) {
    const media::Region region = train::random_region({1000, 1000}, range, random);
    const auto height = static_cast<double>(region.size.height);
    const auto width = static_cast<double>(region.size.width);
    areas.add(height * width / 1e6);
    ratios.add(std::log(width / height));
    tops.add((static_cast<double>(region.top) + 0.5) / (1001.0 - height));
    lefts.add((static_cast<double>(region.left) + 0.5) / (1001.0 - width));
  }
  CHECK(areas.even());
  CHECK(ratios.even());
  CHECK(tops.even());
  CHECK(lefts.even());
}

TEST_CASE("Crops lie within the picture") {
  train::Random random(2);
  for (const vit::Size2d picture :
       {vit::Size2d{1, 1}, {1, 2}, {3, 2}, {32, 32}, {375, 500}, {5000, 7}, {1, 100'000}}) {
    INFO(picture.height << " x " << picture.width);
    for (int i = 0; i < 500; ++i) {
      const auto [top, left, size] = train::random_region(picture, kUsual, random);
      REQUIRE((top >= 0 && left >= 0 && size.height > 0 && size.width > 0));
      REQUIRE((top + size.height <= picture.height && left + size.width <= picture.width));
    }
  }
}

TEST_CASE("Where no crop fits, the largest one in the centre is taken") {
  train::Random random(3);
  const train::CropRange whole{1.0, 1.0, 3.0 / 4.0, 4.0 / 3.0};
  CHECK(train::random_region({30, 1000}, whole, random) == media::Region{0, 480, {30, 40}});
  CHECK(train::random_region({1000, 30}, whole, random) == media::Region{480, 0, {40, 30}});
  const train::CropRange square{1.0, 1.0, 1.0, 1.0};
  CHECK(train::random_region({30, 41}, square, random) == media::Region{0, 5, {30, 30}});
  CHECK(train::random_region({40, 40}, square, random) == media::Region{0, 0, {40, 40}});
}

TEST_CASE("A shifted picture is a crop of the mirrored one") {
  constexpr int64_t kPadding = 2, kHeight = 4, kWidth = 7;
  const at::Tensor rgb = at::randint(0, 256, {kHeight, kWidth, 3}, at::kByte);
  const at::Tensor channels = rgb.permute({2, 0, 1}).to(at::kFloat);
  const at::Tensor padded = at::reflection_pad2d(channels, {kPadding, kPadding, kPadding, kPadding})
                                .permute({1, 2, 0})
                                .to(at::kByte);
  constexpr int kDraws = 5000, kSteps = 2 * kPadding + 1;
  train::Random random(4);
  std::array<int64_t, kSteps * kSteps> counts{};
  for (int i = 0; i < kDraws; ++i) {
    const at::Tensor shifted = train::random_shift(rgb, kPadding, random);
    int matches = 0;
    for (int64_t step = 0; step < kSteps * kSteps; ++step) {
      const at::Tensor part =
          padded.narrow(0, step / kSteps, kHeight).narrow(1, step % kSteps, kWidth);
      if (!at::equal(shifted, part)) continue;
      ++matches;
      ++counts[static_cast<size_t>(step)];
    }
    REQUIRE(matches == 1);
  }
  for (const int64_t count : counts) CHECK(test::plausible(count, kDraws, 1.0 / (kSteps * kSteps)));
}

TEST_CASE("Erasing puts noise into a rectangle and changes nothing else") {
  constexpr int64_t kHeight = 60, kWidth = 50;
  constexpr float kOutside = 100.0F;
  train::Random random(5);
  double noise = 0.0, squares = 0.0, values = 0.0;
  double least = 1.0, most = 0.0;
  Quarters rows_before(0, 1);
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i) {
    at::Tensor pixels = at::full({3, kHeight, kWidth}, kOutside);
    train::random_erase(pixels, random);
    const at::Tensor erased = pixels.ne(kOutside);
    REQUIRE(test::same(erased, erased[0].expand_as(erased)));
    const at::Tensor rows = erased[0].any(1).nonzero(), columns = erased[0].any(0).nonzero();
    const int64_t height = rows.size(0), width = columns.size(0);
    REQUIRE((height > 0 && width > 0 && height < kHeight && width < kWidth));
    REQUIRE(erased[0].sum().item<int64_t>() == height * width);
    REQUIRE(rows[-1][0].item<int64_t>() - rows[0][0].item<int64_t>() == height - 1);
    REQUIRE(columns[-1][0].item<int64_t>() - columns[0][0].item<int64_t>() == width - 1);
    const double area = static_cast<double>(height * width) / (kHeight * kWidth);
    least = std::min(least, area);
    most = std::max(most, area);
    rows_before.add((rows[0][0].item<double>() + 0.5) / static_cast<double>(kHeight - height + 1));
    const at::Tensor drawn = pixels.masked_select(erased).to(at::kDouble);
    noise += drawn.sum().item<double>();
    squares += drawn.square().sum().item<double>();
    values += static_cast<double>(drawn.numel());
  }
  CHECK(rows_before.even());
  CHECK((least > 0.015 && least < 0.03));
  CHECK((most > 0.31 && most < 0.345));
  CHECK(std::abs(noise / values) < 5.0 / std::sqrt(values));
  CHECK(std::abs(squares / values - 1.0) < 5.0 * std::sqrt(2.0 / values));
  at::Tensor dot = at::zeros({3, 1, 1});
  train::random_erase(dot, random);
  CHECK(test::same(dot, at::zeros({3, 1, 1})));
}
