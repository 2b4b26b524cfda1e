#include "train/augment/auto_augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include <base/error.h>
#include <base/text.h>
#include <train/augment/color.h>

namespace train {
namespace {

constexpr double kMaxMagnitude = 10.0;
constexpr double kMaxOperations = 100;

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
    [](const Subject& s, double level) {
      // No bits at all would leave a black picture, of which there is nothing to learn.
      posterize(s.rgb, std::max(1, 4 - static_cast<int>(4.0 * level)));
    },
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
  base::fail(
      base::Setting{"AugmentOptions::auto_augment"}, " is '", base::printable(text), "': ", reason,
      "; expected trivial, or rand and any of -m9 (magnitude, 0 to 10), -n2 (operations), ",
      "-mstd0.5 (deviation of the magnitude), -p0.5 (probability of each operation), -inc1, ",
      "as in rand-m9-n2-mstd0.5");
}

/// A letter or word with a number, such as m9.
struct Setting {
  std::string_view name;
  double low, high;
  double value;
  bool given = false;
};

/// Gives the setting that `part` names its value.
void read_setting(const std::string& text, std::string_view part, std::span<Setting> settings) {
  const size_t letters =
      std::min(part.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), part.size());
  const std::string shown = base::printable(part);
  const auto setting = std::find_if(settings.begin(), settings.end(), [&](const Setting& s) {
    return s.name == part.substr(0, letters);
  });
  if (setting == settings.end()) bad(text, "'" + shown + "' is no setting");
  const std::string name(setting->name);
  if (setting->given) bad(text, name + " is given twice");
  const auto value = base::parse_number(part.substr(letters));
  if (!value || !(*value >= setting->low && *value <= setting->high))
    bad(text, "'" + shown + "' is not " + name + " and a number from " +
                  base::fixed(setting->low, 0) + " to " + base::fixed(setting->high, 0));
  setting->value = *value;
  setting->given = true;
}

}  // namespace

AutoAugment AutoAugment::parse(const std::string& text) {
  AutoAugment result;
  if (text.empty()) return result;
  if (text == "trivial") {
    result.policy = Policy::trivial;
    return result;
  }
  const std::vector<std::string> parts = base::split(text, '-');
  if (parts.front() != "rand") bad(text, "it is not the name of a policy");
  std::array settings{Setting{"m", 0, kMaxMagnitude, result.magnitude},
                      Setting{"mstd", 0, 100, result.magnitude_std},
                      Setting{"n", 1, kMaxOperations, static_cast<double>(result.operations)},
                      Setting{"p", 0, 1, result.probability}, Setting{"inc", 0, 1, 1}};
  for (size_t i = 1; i < parts.size(); ++i) read_setting(text, parts[i], settings);
  const auto& [magnitude, deviation, operations, probability, increasing] = settings;
  if (operations.value != std::floor(operations.value)) bad(text, "n is not a whole number");
  if (increasing.value != 1.0) bad(text, "there are only operations of increasing strength, inc1");
  result.policy = Policy::rand;
  result.magnitude = magnitude.value;
  result.magnitude_std = deviation.value;
  result.operations = static_cast<int64_t>(operations.value);
  result.probability = probability.value;
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
