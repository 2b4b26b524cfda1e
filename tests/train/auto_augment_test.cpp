#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/train/plausible.h"

#include <cmath>
#include <functional>
#include <map>
#include <string>

#include <ATen/ATen.h>

#include <train/augment/auto_augment.h>
#include <train/augment/color.h>
#include <vit/error.h>

namespace {

using train::AutoAugment;
using train::Sampling;

constexpr train::Color kFill{9, 99, 199};
constexpr int64_t kHeight = 20, kWidth = 40;

/// Of few contrast and smooth enough that every operation changes it.
at::Tensor picture() {
  const at::Tensor y = at::arange(kHeight).reshape({kHeight, 1, 1});
  const at::Tensor x = at::arange(kWidth).reshape({1, kWidth, 1});
  const at::Tensor channel = at::arange(3).reshape({1, 1, 3});
  return (40 + 5 * y + 2 * x + (x * y).remainder(7) + 11 * channel).to(at::kByte);
}

std::string bytes(const at::Tensor& rgb) {
  return {reinterpret_cast<const char*>(rgb.const_data_ptr<uint8_t>()),
          static_cast<size_t>(rgb.numel())};
}

/// Possible results, each with the name of the operation that leads to it.
class Outcomes {
 public:
  void add(const std::string& operation, const std::function<void(at::Tensor&)>& perform) {
    at::Tensor rgb = picture();
    perform(rgb);
    names_.emplace(bytes(rgb), operation);
  }

  void move(const std::string& operation, const train::Affine& affine, Sampling sampling) {
    add(operation, [&](at::Tensor& rgb) { rgb = transform(rgb, affine, sampling, kFill); });
  }

  /// How often each operation led to the results of seeds 0 … draws - 1; "?" stands for others.
  std::map<std::string, int> tally(const AutoAugment& options, int draws) const {
    std::map<std::string, int> counts;
    for (int seed = 0; seed < draws; ++seed) {
      at::Tensor rgb = picture();
      train::Random random(static_cast<uint64_t>(seed));
      train::auto_augment(rgb, options, kFill, random);
      const auto found = names_.find(bytes(rgb));
      ++counts[found == names_.end() ? "?" : found->second];
    }
    return counts;
  }

 private:
  std::map<std::string, std::string> names_;
};

std::string refusal(const std::string& text) {
  try {
    AutoAugment::parse(text);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("RandAugment draws each of its operations as often, both signs too") {
  // All of magnitude 5, the middle of their ranges.
  Outcomes outcomes;
  outcomes.add("nothing", [](at::Tensor&) {});
  outcomes.add("autocontrast", train::autocontrast);
  outcomes.add("equalize", train::equalize);
  outcomes.add("invert", train::invert);
  outcomes.add("posterize", [](at::Tensor& rgb) { train::posterize(rgb, 2); });
  outcomes.add("solarize", [](at::Tensor& rgb) { train::solarize(rgb, 128); });
  outcomes.add("solarize add", [](at::Tensor& rgb) { train::solarize_add(rgb, 55); });
  for (const int sign : {-1, 1}) {
    const std::string side = sign < 0 ? " -" : " +";
    const double factor = 1.0 + sign * 0.45;
    outcomes.add("color" + side, [&](at::Tensor& rgb) { train::adjust_color(rgb, factor); });
    outcomes.add("contrast" + side, [&](at::Tensor& rgb) { train::adjust_contrast(rgb, factor); });
    outcomes.add("brightness" + side,
                 [&](at::Tensor& rgb) { train::adjust_brightness(rgb, factor); });
    outcomes.add("sharpness" + side,
                 [&](at::Tensor& rgb) { train::adjust_sharpness(rgb, factor); });
    outcomes.move("rotate" + side, train::rotation(sign * 15.0, {kHeight, kWidth}),
                  Sampling::bilinear);
    outcomes.move("shear x" + side, {.b = sign * 0.15}, Sampling::bilinear);
    outcomes.move("shear y" + side, {.d = sign * 0.15}, Sampling::bilinear);
    outcomes.move("translate x" + side, {.c = sign * 0.225 * kWidth}, Sampling::bilinear);
    outcomes.move("translate y" + side, {.f = sign * 0.225 * kHeight}, Sampling::bilinear);
  }
  constexpr int kDraws = 15'000;
  auto counts = outcomes.tally(AutoAugment::parse("rand-m5-n1-p0.6"), kDraws);
  CHECK(counts.size() == 25);
  CHECK(counts["?"] == 0);
  CHECK(test::plausible(counts["nothing"], kDraws, 0.4));
  counts.erase("nothing");
  counts.erase("?");
  for (const auto& [operation, count] : counts) {
    INFO(operation);
    const bool has_sign = operation.ends_with("-") || operation.ends_with("+");
    CHECK(test::plausible(count, kDraws, 0.6 / 15.0 / (has_sign ? 2.0 : 1.0)));
  }
}

TEST_CASE("RandAugment's magnitude varies around the one asked for, within its range") {
  // Solarize-add adds 11 times the magnitude. Half of the draws around 10 are beyond the limit;
  // "middle" is one standard deviation to either side of 5.045.
  Outcomes outcomes;
  for (int amount = 0; amount <= 110; ++amount) {
    const std::string name = amount == 110                 ? "strongest"
                             : amount >= 50 && amount < 61 ? "middle"
                                                           : "other";
    outcomes.add(name, [&](at::Tensor& rgb) { train::solarize_add(rgb, amount); });
  }
  constexpr int kDraws = 6000;
  auto counts = outcomes.tally(AutoAugment::parse("rand-m10-mstd0.5-n1-p1"), kDraws);
  CHECK(test::plausible(counts["strongest"], kDraws, 0.5 / 15.0));
  CHECK(test::plausible(counts["strongest"] + counts["other"], kDraws, 1.0 / 15.0));
  CHECK(counts["middle"] == 0);
  counts = outcomes.tally(AutoAugment::parse("rand-m5.045-mstd0.5-n1-p1"), kDraws);
  CHECK(test::plausible(counts["middle"], kDraws, 0.683 / 15.0));
  CHECK(test::plausible(counts["middle"] + counts["other"], kDraws, 1.0 / 15.0));
  CHECK(counts["strongest"] == 0);
}

TEST_CASE("RandAugment's strongest posterizing leaves one bit") {
  Outcomes outcomes;
  outcomes.add("black", [](at::Tensor& rgb) { rgb.zero_(); });
  outcomes.add("one bit", [](at::Tensor& rgb) { train::posterize(rgb, 1); });
  constexpr int kDraws = 3000;
  auto counts = outcomes.tally(AutoAugment::parse("rand-m10-n1-p1"), kDraws);
  CHECK(counts["black"] == 0);
  CHECK(test::plausible(counts["one bit"], kDraws, 1.0 / 15.0));
}

TEST_CASE("RandAugment applies as many operations as asked") {
  Outcomes outcomes;
  outcomes.add("nothing", [](at::Tensor&) {});
  for (const int operations : {1, 2, 4}) {
    AutoAugment options = AutoAugment::parse("rand-m5");
    options.operations = operations;
    constexpr int kDraws = 3000;
    const int unchanged = outcomes.tally(options, kDraws)["nothing"];
    const double expected = std::pow(0.5, operations);
    // Two of them may undo each other, such as two inversions.
    CHECK(test::plausible(unchanged, kDraws, expected + (operations > 1 ? 0.002 : 0.0)));
  }
}

TEST_CASE("TrivialAugment draws one operation, of any of 31 strengths") {
  Outcomes outcomes;
  outcomes.add("nothing", [](at::Tensor&) {});
  outcomes.add("autocontrast", train::autocontrast);
  outcomes.add("equalize", train::equalize);
  for (int bits = 2; bits < 8; ++bits)
    outcomes.add("posterize", [&](at::Tensor& rgb) { train::posterize(rgb, bits); });
  for (int level = 30; level >= 0; --level) {
    const double share = level / 30.0;
    outcomes.add("solarize", [&](at::Tensor& rgb) {
      train::solarize(rgb, static_cast<int>(std::ceil(255.0 * (1.0 - share))));
    });
    for (const int sign : {-1, 1}) {
      const double factor = 1.0 + sign * 0.99 * share, shift = sign * std::floor(32.0 * share);
      outcomes.add("color", [&](at::Tensor& rgb) { train::adjust_color(rgb, factor); });
      outcomes.add("contrast", [&](at::Tensor& rgb) { train::adjust_contrast(rgb, factor); });
      outcomes.add("brightness", [&](at::Tensor& rgb) { train::adjust_brightness(rgb, factor); });
      outcomes.add("sharpness", [&](at::Tensor& rgb) { train::adjust_sharpness(rgb, factor); });
      outcomes.move("shear", {.b = sign * 0.99 * share}, Sampling::nearest);
      outcomes.move("shear", {.d = sign * 0.99 * share}, Sampling::nearest);
      outcomes.move("translate", {.c = shift}, Sampling::nearest);
      outcomes.move("translate", {.f = shift}, Sampling::nearest);
      outcomes.move("rotate", train::rotation(sign * 135.0 * share, {kHeight, kWidth}),
                    Sampling::nearest);
    }
  }
  constexpr int kDraws = 14'000;
  auto counts = outcomes.tally(AutoAugment::parse("trivial"), kDraws);
  CHECK(counts["?"] == 0);
  CHECK(test::plausible(counts["autocontrast"], kDraws, 1.0 / 14.0));
  CHECK(test::plausible(counts["equalize"], kDraws, 1.0 / 14.0));
  // Some of the weakest operations change nothing.
  CHECK(test::plausible(counts["rotate"], kDraws, 30.0 / 31.0 / 14.0));
  CHECK(test::plausible(counts["color"], kDraws, 30.0 / 31.0 / 14.0));
  CHECK(counts["nothing"] > kDraws / 14);
  CHECK(counts["nothing"] < kDraws / 6);
}

TEST_CASE("Policies are read in timm's notation") {
  CHECK(AutoAugment::parse("").policy == AutoAugment::Policy::none);
  CHECK(AutoAugment::parse("trivial").policy == AutoAugment::Policy::trivial);
  const AutoAugment usual = AutoAugment::parse("rand-m9-n3-mstd0.5-inc1");
  CHECK(usual.policy == AutoAugment::Policy::rand);
  CHECK(usual.magnitude == 9.0);
  CHECK(usual.operations == 3);
  CHECK(usual.magnitude_std == 0.5);
  CHECK(usual.probability == 0.5);
  const AutoAugment plain = AutoAugment::parse("rand");
  CHECK(plain.magnitude == 10.0);
  CHECK(plain.operations == 2);
  CHECK(plain.magnitude_std == 0.0);
  CHECK(AutoAugment::parse("rand-p0.25-m0").probability == 0.25);
}

TEST_CASE("A policy that cannot be read is an error that shows it") {
  const std::string expected =
      "; expected trivial, or rand and any of -m9 (magnitude, 0 to 10), -n2 (operations), "
      "-mstd0.5 (deviation of the magnitude), -p0.5 (probability of each operation), -inc1, as in "
      "rand-m9-n2-mstd0.5";
  CHECK(refusal("rand-x9") ==
        "AugmentOptions::auto_augment is 'rand-x9': 'x9' is no setting" + expected);
  for (const auto& [text, reason] : std::map<std::string, std::string>{
           {"augmix-m3", "it is not the name of a policy"},
           {"Trivial", "it is not the name of a policy"},
           {"trivial-m9", "it is not the name of a policy"},
           {"-m9", "it is not the name of a policy"},
           {"rand-", "'' is no setting"},
           {"rand-m9--n2", "'' is no setting"},
           {"rand-9", "'9' is no setting"},
           {"rand-mst0.5", "'mst0.5' is no setting"},
           {"rand-m", "'m' is not m and a number from 0 to 10"},
           {"rand-m11", "'m11' is not m and a number from 0 to 10"},
           {"rand-m-1", "'m' is not m and a number from 0 to 10"},
           {"rand-mnan", "'mnan' is no setting"},
           {"rand-m9x", "'m9x' is not m and a number from 0 to 10"},
           {"rand-n0", "'n0' is not n and a number from 1 to 100"},
           {"rand-n1e9", "'n1e9' is not n and a number from 1 to 100"},
           {"rand-n2.5", "n is not a whole number"},
           {"rand-p2", "'p2' is not p and a number from 0 to 1"},
           {"rand-inc0", "there are only operations of increasing strength, inc1"},
           {"rand-m9-m8", "m is given twice"}})
    CHECK(refusal(text) == "AugmentOptions::auto_augment is '" + text + "': " + reason + expected);
}
