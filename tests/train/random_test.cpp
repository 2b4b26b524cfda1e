#include "tests/support/catch.h"
#include "tests/train/plausible.h"

#include <array>
#include <cmath>

#include <train/augment/random.h>

TEST_CASE("Random numbers are those of SplitMix64 on every machine") {
  train::Random zero(0), one(1);
  for (const uint64_t expected : {0xa706dd2f4d197e6fu, 0xb382a305f4414f5eu, 0x631a9154fbabf717u})
    CHECK(zero.bits() == expected);
  for (const uint64_t expected : {0x5e41ab087439611eu, 0xf18d6ce93d6cf1eeu, 0x0b95f66d327e8d78u})
    CHECK(one.bits() == expected);
}

TEST_CASE("Random numbers have the distributions they are named after") {
  constexpr int kDraws = 100'000;
  train::Random random(3);
  SECTION("uniform") {
    std::array<int, 10> counts{};
    for (int i = 0; i < kDraws; ++i) {
      const double x = random.uniform(-1.0, 4.0);
      REQUIRE((x >= -1.0 && x < 4.0));
      ++counts[static_cast<size_t>((x + 1.0) * 2.0)];
    }
    for (const int count : counts) CHECK(test::plausible(count, kDraws, 0.1));
  }
  SECTION("below") {
    std::array<int, 7> counts{};
    for (int i = 0; i < kDraws; ++i) ++counts.at(static_cast<size_t>(random.below(7)));
    for (const int count : counts) CHECK(test::plausible(count, kDraws, 1.0 / 7.0));
    CHECK(random.below(1) == 0);
  }
  SECTION("chance") {
    int times = 0;
    for (int i = 0; i < kDraws; ++i) {
      times += random.chance(0.2);
      REQUIRE(random.chance(1.0));
      REQUIRE(!random.chance(0.0));
    }
    CHECK(test::plausible(times, kDraws, 0.2));
  }
  SECTION("normal") {
    std::array<double, 4> moments{};
    double product = 0.0, before = 0.0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = random.normal();
      double power = 1.0;
      for (double& moment : moments) moment += (power *= x) / kDraws;
      product += x * before / kDraws;
      before = x;
    }
    // Variances of the sample moments of the normal distribution: 1, 2, 15, 96.
    CHECK(std::abs(moments[0]) < 5 * std::sqrt(1.0 / kDraws));
    CHECK(std::abs(moments[1] - 1.0) < 5 * std::sqrt(2.0 / kDraws));
    CHECK(std::abs(moments[2]) < 5 * std::sqrt(15.0 / kDraws));
    CHECK(std::abs(moments[3] - 3.0) < 5 * std::sqrt(96.0 / kDraws));
    CHECK(std::abs(product) < 5 * std::sqrt(1.0 / kDraws));
  }
}
