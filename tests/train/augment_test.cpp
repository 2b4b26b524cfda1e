#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/train/plausible.h"

#include <cmath>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include <ATen/ATen.h>

#include <media/preprocess.h>
#include <train/augment.h>
#include <train/augment/contact_sheet.h>
#include <vit/error.h>

namespace {

using train::Augment;
using train::AugmentOptions;

at::Tensor noise(int64_t height, int64_t width) {
  return at::randint(0, 256, {height, width, 3}, at::kByte);
}

vit::PicturePreprocessing input(int64_t height, int64_t width) {
  vit::PicturePreprocessing how;
  how.input_size = {height, width};
  how.crop_pct = 0.875;
  how.mean = {0.485, 0.456, 0.406};
  how.std = {0.229, 0.224, 0.225};
  return how;
}

/// Options that leave a picture as it is.
AugmentOptions unvaried() {
  return {.min_scale = 1.0,
          .min_ratio = 1.0,
          .max_ratio = 1.0,
          .random_interpolation = false,
          .flip = 0.0};
}

const AugmentOptions kEverything{
    .color_jitter = 0.4, .auto_augment = "rand-m9-n2-mstd0.5", .erasing = 0.5};

std::string refusal(const AugmentOptions& options, int64_t side = 32) {
  try {
    const Augment augment(options, input(side, side));
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A view depends on its seed alone") {
  AugmentOptions trivial = kEverything;
  trivial.auto_augment = "trivial";
  trivial.padding = 4;
  const at::Tensor picture = noise(50, 40);
  for (const AugmentOptions& options : {kEverything, trivial}) {
    const Augment augment(options, input(32, 24));
    std::vector<at::Tensor> views(40), again(40);
    at::manual_seed(1);
    const at::Tensor next = at::rand({3});
    at::manual_seed(1);
    for (size_t i = 0; i < views.size(); ++i) views[i] = augment(picture, i);
    CHECK(test::same(at::rand({3}), next));
    std::vector<std::thread> threads;
    for (size_t first = 0; first < 4; ++first)
      threads.emplace_back([&, first] {
        for (size_t i = first; i < again.size(); i += 4) again[i] = augment(picture, i);
      });
    for (std::thread& thread : threads) thread.join();
    for (size_t i = 0; i < views.size(); ++i) {
      CHECK(views[i].sizes() == at::IntArrayRef{3, 32, 24});
      CHECK(views[i].scalar_type() == at::kFloat);
      CHECK(test::same(again[i], views[i]));
      if (i > 0) CHECK(!test::same(views[i], views[i - 1]));
    }
  }
}

TEST_CASE("Without variation a view is the picture as evaluation sees it whole") {
  const at::Tensor square = noise(50, 50), wide = noise(32, 48);
  vit::PicturePreprocessing how = input(32, 32), whole = how;
  whole.crop_pct = 1.0;
  for (const auto interpolation : {vit::Interpolation::bilinear, vit::Interpolation::bicubic}) {
    how.interpolation = whole.interpolation = interpolation;
    const Augment augment(unvaried(), how);
    CHECK(test::same(augment(square, 3), media::preprocess(square, whole)));
    CHECK(test::same(augment(wide, 3), media::preprocess(wide, whole)));
  }
}

TEST_CASE("Crops are resized bilinearly or bicubically at random") {
  AugmentOptions options = unvaried();
  options.random_interpolation = true;
  vit::PicturePreprocessing how = input(32, 32);
  const at::Tensor picture = noise(50, 50);
  const Augment augment(options, how);
  how.crop_pct = 1.0;
  how.interpolation = vit::Interpolation::bilinear;
  const at::Tensor bilinear = media::preprocess(picture, how);
  how.interpolation = vit::Interpolation::bicubic;
  const at::Tensor bicubic = media::preprocess(picture, how);
  int64_t times = 0;
  constexpr int64_t kDraws = 1000;
  for (int64_t seed = 0; seed < kDraws; ++seed) {
    const at::Tensor view = augment(picture, seed);
    times += at::equal(view, bilinear);
    REQUIRE((at::equal(view, bilinear) || at::equal(view, bicubic)));
  }
  CHECK(test::plausible(times, kDraws, 0.5));
}

TEST_CASE("Pictures are mirrored as often as asked") {
  constexpr int64_t kDraws = 4000;
  for (const double share : {0.0, 0.3, 1.0}) {
    AugmentOptions options = unvaried();
    options.flip = share;
    const Augment augment(options, input(5, 5));
    const at::Tensor picture = noise(5, 5);
    const at::Tensor straight = media::normalize(picture, input(5, 5));
    int64_t mirrored = 0;
    for (int64_t seed = 0; seed < kDraws; ++seed) {
      const at::Tensor view = augment(picture, seed);
      const bool flipped = at::equal(view, straight.flip(2));
      REQUIRE((flipped || at::equal(view, straight)));
      mirrored += flipped;
    }
    CHECK(test::plausible(mirrored, kDraws, share));
  }
}

TEST_CASE("Padding shifts a picture by at most so many pixels") {
  AugmentOptions options = unvaried();
  options.padding = 2;
  vit::PicturePreprocessing how = input(6, 6);
  how.mean = {0, 0, 0};
  how.std = {1, 1, 1};
  const Augment augment(options, how);
  // Each pixel shows its own row and column.
  at::Tensor picture = at::zeros({6, 6, 3}, at::kByte);
  picture.select(2, 0).copy_(at::arange(6).reshape({6, 1}));
  picture.select(2, 1).copy_(at::arange(6).reshape({1, 6}));
  std::set<std::pair<int64_t, int64_t>> centres;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const at::Tensor view = (augment(picture, seed) * 255.0).round();
    centres.emplace(view[0][2][2].item<int64_t>(), view[1][2][2].item<int64_t>());
    for (const int64_t channel : {0, 1}) {
      const at::Tensor steps = view[channel].diff(1, channel).abs();
      REQUIRE(steps.min().item<float>() == 1.0F);
      REQUIRE(steps.max().item<float>() == 1.0F);
    }
  }
  std::set<std::pair<int64_t, int64_t>> expected;
  for (int64_t y = 0; y < 5; ++y)
    for (int64_t x = 0; x < 5; ++x) expected.emplace(y, x);
  CHECK(centres == expected);
}

TEST_CASE("Colour jitter changes brightness by factors around one") {
  // Contrast and saturation of an even gray are nothing that could change.
  AugmentOptions options = unvaried();
  options.color_jitter = 0.4;
  vit::PicturePreprocessing how = input(4, 4);
  how.mean = {0, 0, 0};
  how.std = {1, 1, 1};
  const Augment augment(options, how);
  const at::Tensor gray = at::full({4, 4, 3}, 100, at::kByte);
  constexpr int64_t kDraws = 4000;
  int64_t darker = 0;
  double least = 2.0, most = 0.0;
  for (int64_t seed = 0; seed < kDraws; ++seed) {
    const at::Tensor view = augment(gray, seed) * (255.0 / 100.0);
    REQUIRE(view.min().item<double>() == view.max().item<double>());
    const auto factor = view[0][0][0].item<double>();
    least = std::min(least, factor);
    most = std::max(most, factor);
    darker += factor < 0.795;
  }
  CHECK((least > 0.589 && least < 0.62));
  CHECK((most > 1.38 && most < 1.401));
  CHECK(test::plausible(darker, kDraws, 0.25));
  // A colourful picture changes in more ways than one.
  const at::Tensor colours = noise(4, 4);
  const Augment as_it_is(unvaried(), how);
  const at::Tensor plain = as_it_is(colours, 0);
  const at::Tensor view = augment(colours, 1);
  CHECK(at::std(view / plain.clamp_min(0.05)).item<double>() > 0.05);
}

TEST_CASE("Parts are erased as often as asked") {
  AugmentOptions options = unvaried();
  options.erasing = 0.25;
  const Augment augment(options, input(16, 16));
  const at::Tensor picture = noise(16, 16);
  const at::Tensor plain = Augment(unvaried(), input(16, 16))(picture, 0);
  constexpr int64_t kDraws = 4000;
  int64_t erased = 0;
  for (int64_t seed = 0; seed < kDraws; ++seed) erased += !at::equal(augment(picture, seed), plain);
  CHECK(test::plausible(erased, kDraws, 0.25));
}

TEST_CASE("What a moved picture leaves empty has the mean colour") {
  AugmentOptions options = unvaried();
  options.auto_augment = "rand-m9-n1-p1";
  const Augment augment(options, input(16, 16));
  // An even picture shows its own colour and that of the filling.
  const at::Tensor white = at::full({16, 16, 3}, 255, at::kByte);
  int64_t seen = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const at::Tensor view = augment(white, seed);
    if (view.amax({1, 2}).eq(view.amin({1, 2})).all().item<bool>()) continue;
    ++seen;
    const at::Tensor filled = view.amin({1, 2});
    CHECK(filled.abs().max().item<double>() <= 0.5 / 255.0 / 0.224 + 1e-6);
  }
  CHECK(seen > 50);
}

TEST_CASE("Pictures of any shape have views") {
  AugmentOptions padded = kEverything, trivial = kEverything;
  padded.padding = 3;
  trivial.auto_augment = "trivial";
  for (const AugmentOptions& options : {kEverything, padded, trivial}) {
    const Augment augment(options, input(8, 5));
    for (const auto& [height, width] :
         {std::pair<int64_t, int64_t>{1, 1}, {1, 2000}, {2000, 1}, {3, 2}, {300, 200}}) {
      const at::Tensor picture = noise(height, width);
      for (uint64_t seed = 0; seed < 50; ++seed) {
        const at::Tensor view = augment(picture, seed);
        REQUIRE(view.sizes() == at::IntArrayRef{3, 8, 5});
        REQUIRE(view.isfinite().all().item<bool>());
      }
    }
  }
  const Augment dot(kEverything, input(1, 1));
  for (uint64_t seed = 0; seed < 50; ++seed) REQUIRE(dot(noise(9, 9), seed).numel() == 3);
  const Augment augment(unvaried(), input(8, 8));
  const at::Tensor turned = noise(20, 20).transpose(0, 1);
  CHECK(test::same(augment(turned, 1), augment(turned.contiguous(), 1)));
}

TEST_CASE("Augmentation says what is wrong") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal({.min_scale = 0.5, .max_scale = 0.2}) ==
        "AugmentOptions::min_scale is 0.5 and AugmentOptions::max_scale is 0.2, expected from "
        "0.0001 to 1, the one no more than the other");
  CHECK(refusal({.min_scale = 0}).starts_with("AugmentOptions::min_scale is 0 and"));
  CHECK_THAT(refusal({.max_scale = nan}),
             Catch::ContainsSubstring("AugmentOptions::max_scale is nan, expected"));
  CHECK(refusal({.min_ratio = -1}).starts_with("AugmentOptions::min_ratio is -1 and"));
  CHECK(refusal({.padding = -1}) ==
        "AugmentOptions::padding is -1, expected 0 to 31 pixels for an input of 32 x 32");
  CHECK(refusal({.padding = 32}).starts_with("AugmentOptions::padding is 32, expected 0 to 31"));
  CHECK(refusal({.padding = 31}).empty());
  CHECK(refusal({.flip = 1.5}) ==
        "AugmentOptions::flip is 1.5, expected a probability from 0 to 1");
  CHECK(refusal({.color_jitter = -0.1}) ==
        "AugmentOptions::color_jitter is -0.1, expected a strength from 0 to 1");
  CHECK(refusal({.erasing = nan}) ==
        "AugmentOptions::erasing is nan, expected a probability from 0 to 1");
  CHECK(refusal({.auto_augment = "rand-x9"})
            .starts_with("AugmentOptions::auto_augment is 'rand-x9': 'x9' is"));
  vit::PicturePreprocessing gray = input(32, 32);
  gray.mean = {0.5};
  CHECK_THROWS_AS(Augment({}, gray), vit::Error);

  const Augment augment({}, input(32, 32));
  CHECK_THROWS_AS(augment(at::zeros({8, 8, 3}), 0), c10::Error);
  CHECK_THROWS_AS(augment(at::zeros({8, 8, 4}, at::kByte), 0), c10::Error);
  CHECK_THROWS_AS(augment(at::zeros({8, 8}, at::kByte), 0), c10::Error);
  CHECK_THROWS_AS(augment(at::zeros({0, 8, 3}, at::kByte), 0), c10::Error);
}

TEST_CASE("A contact sheet shows pictures and their views") {
  const Augment augment(unvaried(), input(50, 60));
  const std::vector<at::Tensor> pictures{noise(50, 60), noise(70, 90)};
  const at::Tensor sheet = train::contact_sheet(pictures, augment, 2, 5);
  // Enlarged three times, four pixels between them.
  CHECK(sheet.sizes() == at::IntArrayRef{304, 548, 3});
  const auto cell = [&](int64_t row, int64_t column) {
    return sheet.slice(0, row * 154, row * 154 + 150, 3)
        .slice(1, column * 184, column * 184 + 180, 3);
  };
  for (const int64_t row : {0, 1}) {
    const at::Tensor& picture = pictures[static_cast<size_t>(row)];
    CHECK(test::same(cell(row, 0), media::resize_and_crop(picture, input(50, 60))));
    const at::Tensor view = cell(row, 1);
    CHECK(test::same(view, cell(row, 2)));
    CHECK(test::same(media::normalize(view, input(50, 60)), augment(picture, 0)));
  }
  const Augment varied(kEverything, input(32, 32));
  const auto views = [&](uint64_t seed) { return train::contact_sheet(pictures, varied, 3, seed); };
  CHECK(test::same(views(1), views(1)));
  CHECK(!test::same(views(1), views(2)));
  CHECK_THROWS_WITH(train::contact_sheet({}, varied, 3, 0),
                    Catch::ContainsSubstring("0 pictures with 3 views each: expected 1 to"));
  CHECK_THROWS_AS(train::contact_sheet(pictures, varied, 0, 0), vit::Error);
  CHECK_THROWS_AS(train::contact_sheet(pictures, varied, 1'000'000, 0), vit::Error);
}
