#include "apps/train/augment/auto_augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include <apps/cli/text.h>
#include <apps/train/augment/color.h>
#include <vit/error.h>

namespace train {
namespace {

constexpr double kMaxMagnitude = 10.0;
constexpr int64_t kMaxOperations = 100;

/// The picture that operations work on.
struct Subject {
  at::Tensor& rgb;
  const Color& fill;
  Random& random;
  Sampling sampling;

  void move(const Affine& affine) const { rgb = transform(rgb, affine, sampling, fill); }
  void shear_x(double share) const { move({.b = share}); }
  void shear_y(double share) const { move({.d = share}); }
  void translate_x(double pixels) const { move({.c = pixels}); }
  void translate_y(double pixels) const { move({.f = pixels}); }
  void rotate(double degrees) const { move(rotation(degrees, {rgb.size(0), rgb.size(1)})); }
  double with_random_sign(double value) const { return random.chance(0.5) ? -value : value; }
};

/// `level` goes from 0, the weakest, to 1.
using Operation = void (*)(const Subject& subject, double level);

/// timm's "increasing" operations with their ranges.
namespace rand_augment {

double enhancement(const Subject& s, double level) {
  return std::max(0.1, 1.0 + s.with_random_sign(0.9 * level));
}

constexpr double kShear = 0.3;
constexpr double kTranslation = 0.45;  // of the side
constexpr double kDegrees = 30.0;

constexpr std::array<Operation, 15> kOperations{
    [](const Subject& s, double) { autocontrast(s.rgb); },
    [](const Subject& s, double) { equalize(s.rgb); },
    [](const Subject& s, double) { invert(s.rgb); },
    [](const Subject& s, double level) { s.rotate(s.with_random_sign(kDegrees * level)); },
    [](const Subject& s, double level) { posterize(s.rgb, 4 - static_cast<int>(4.0 * level)); },
    [](const Subject& s, double level) { solarize(s.rgb, 256 - static_cast<int>(256.0 * level)); },
    [](const Subject& s, double level) { solarize_add(s.rgb, static_cast<int>(110.0 * level)); },
    [](const Subject& s, double level) { adjust_color(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { adjust_contrast(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { adjust_brightness(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { adjust_sharpness(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { s.shear_x(s.with_random_sign(kShear * level)); },
    [](const Subject& s, double level) { s.shear_y(s.with_random_sign(kShear * level)); },
    [](const Subject& s, double level) {
      const auto width = static_cast<double>(s.rgb.size(1));
      s.translate_x(s.with_random_sign(kTranslation * level * width));
    },
    [](const Subject& s, double level) {
      const auto height = static_cast<double>(s.rgb.size(0));
      s.translate_y(s.with_random_sign(kTranslation * level * height));
    },
};

void apply(const AutoAugment& options, const Subject& subject) {
  Random& random = subject.random;
  for (int64_t i = 0; i < options.operations; ++i) {
    const auto operation = kOperations[random.below(kOperations.size())];
    const double deviation = options.magnitude_std > 0.0 ? random.normal() : 0.0;
    const double magnitude = options.magnitude + options.magnitude_std * deviation;
    const double level = std::clamp(magnitude, 0.0, kMaxMagnitude) / kMaxMagnitude;
    if (random.chance(options.probability)) operation(subject, level);
  }
}

}  // namespace rand_augment

/// The wide ranges of the paper.
namespace trivial_augment {

constexpr int64_t kLevels = 31;
constexpr double kEnhancement = 0.99, kShear = 0.99;
constexpr double kTranslation = 32.0;  // pixels, whatever the size
constexpr double kDegrees = 135.0;

double enhancement(const Subject& s, double level) {
  return 1.0 + s.with_random_sign(kEnhancement * level);
}

constexpr std::array<Operation, 14> kOperations{
    [](const Subject&, double) {},
    [](const Subject& s, double level) { s.shear_x(s.with_random_sign(kShear * level)); },
    [](const Subject& s, double level) { s.shear_y(s.with_random_sign(kShear * level)); },
    [](const Subject& s, double level) {
      s.translate_x(s.with_random_sign(std::floor(kTranslation * level)));
    },
    [](const Subject& s, double level) {
      s.translate_y(s.with_random_sign(std::floor(kTranslation * level)));
    },
    [](const Subject& s, double level) { s.rotate(s.with_random_sign(kDegrees * level)); },
    [](const Subject& s, double level) { adjust_brightness(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { adjust_color(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { adjust_contrast(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) { adjust_sharpness(s.rgb, enhancement(s, level)); },
    [](const Subject& s, double level) {
      posterize(s.rgb, 8 - static_cast<int>(std::round(6.0 * level)));
    },
    [](const Subject& s, double level) {
      solarize(s.rgb, static_cast<int>(std::ceil(255.0 * (1.0 - level))));
    },
    [](const Subject& s, double) { autocontrast(s.rgb); },
    [](const Subject& s, double) { equalize(s.rgb); },
};

void apply(const Subject& subject) {
  Random& random = subject.random;
  const auto operation = kOperations[random.below(kOperations.size())];
  const auto level = static_cast<double>(random.below(kLevels));
  operation(subject, level / static_cast<double>(kLevels - 1));
}

}  // namespace trivial_augment

[[noreturn]] void bad(const std::string& text, const std::string& reason) {
  vit::fail("--auto-augment is '", cli::printable(text), "': ", reason,
            "; expected trivial, or rand and any of -m9 (magnitude, 0 to 10), -n2 (operations), ",
            "-mstd0.5 (deviation of the magnitude), -p0.5 (probability of each operation), -inc1, ",
            "as in rand-m9-n2-mstd0.5");
}

/// The number that follows `name`, if that is how `part` begins.
std::optional<double> setting(const std::string& text, const std::string& part,
                              std::string_view name, double low, double high) {
  const size_t digits = part.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  if (std::string_view(part).substr(0, digits) != name) return std::nullopt;
  const auto value =
      cli::parse_number(digits == part.npos ? "" : std::string_view(part).substr(digits));
  if (!value || !(*value >= low && *value <= high))
    bad(text, cli::printable(part) + " is not " + std::string(name) + " and a number from " +
                  cli::fixed(low, 0) + " to " + cli::fixed(high, 0));
  return value;
}

}  // namespace

AutoAugment AutoAugment::parse(const std::string& text) {
  AutoAugment result;
  if (text.empty()) return result;
  if (text == "trivial") {
    result.policy = Policy::trivial;
    return result;
  }
  const std::vector<std::string> parts = cli::split(text, '-');
  if (parts.front() != "rand") bad(text, "it is not the name of a policy");
  result.policy = Policy::rand;
  for (size_t i = 1; i < parts.size(); ++i) {
    const auto read = [&](std::string_view name, double low, double high) {
      return setting(text, parts[i], name, low, high);
    };
    if (const auto m = read("m", 0, kMaxMagnitude)) {
      result.magnitude = *m;
    } else if (const auto std = read("mstd", 0, 100)) {
      result.magnitude_std = *std;
    } else if (const auto p = read("p", 0, 1)) {
      result.probability = *p;
    } else if (const auto n = read("n", 1, kMaxOperations)) {
      if (*n != std::floor(*n)) bad(text, cli::printable(parts[i]) + " is not a whole number");
      result.operations = static_cast<int64_t>(*n);
    } else if (const auto inc = read("inc", 0, 1)) {
      if (*inc != 1.0) bad(text, "there are only operations of increasing strength, inc1");
    } else {
      bad(text, "'" + cli::printable(parts[i]) + "' is no setting");
    }
  }
  return result;
}

void auto_augment(at::Tensor& rgb, const AutoAugment& options, const Color& fill, Random& random) {
  switch (options.policy) {
    case AutoAugment::Policy::none:
      return;
    case AutoAugment::Policy::rand:
      return rand_augment::apply(options, {rgb, fill, random, Sampling::bilinear});
    case AutoAugment::Policy::trivial:
      return trivial_augment::apply({rgb, fill, random, Sampling::nearest});
  }
}

}  // namespace train
