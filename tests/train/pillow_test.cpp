#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <map>
#include <sstream>

#include <ATen/ATen.h>

#include <train/augment/color.h>
#include <train/augment/geometry.h>
#include <vit/weights/files/safetensors.h>

namespace {

constexpr train::Color kFill{124, 117, 104};  // of the script that wrote the file

double number(std::istringstream& words) {
  double value = 0;
  words >> value;
  if (!words) throw std::runtime_error("a number is missing");
  return value;
}

train::Sampling sampling(std::istringstream& words) {
  std::string name;
  words >> name;
  return name == "nearest" ? train::Sampling::nearest : train::Sampling::bilinear;
}

/// Does what `words` say, an operation and its arguments.
at::Tensor perform(at::Tensor rgb, std::istringstream& words) {
  std::string name;
  words >> name;
  const auto integer = [&] { return static_cast<int>(number(words)); };
  if (name == "autocontrast") {
    train::autocontrast(rgb);
  } else if (name == "equalize") {
    train::equalize(rgb);
  } else if (name == "invert") {
    train::invert(rgb);
  } else if (name == "posterize") {
    train::posterize(rgb, integer());
  } else if (name == "solarize") {
    train::solarize(rgb, integer());
  } else if (name == "color") {
    train::adjust_color(rgb, number(words));
  } else if (name == "contrast") {
    train::adjust_contrast(rgb, number(words));
  } else if (name == "brightness") {
    train::adjust_brightness(rgb, number(words));
  } else if (name == "sharpness") {
    train::adjust_sharpness(rgb, number(words));
  } else if (name == "rotate") {
    const train::Sampling how = sampling(words);
    const train::Affine turn = train::rotation(number(words), {rgb.size(0), rgb.size(1)});
    return train::transform(rgb, turn, how, kFill);
  } else if (name == "transform") {
    const train::Sampling how = sampling(words);
    train::Affine m;
    for (double* value : {&m.a, &m.b, &m.c, &m.d, &m.e, &m.f}) *value = number(words);
    return train::transform(rgb, m, how, kFill);
  } else {
    throw std::runtime_error("no operation is called " + name);
  }
  return rgb;
}

}  // namespace

TEST_CASE("Colours and geometry are changed as by Pillow") {
  const auto file = vit::read_safetensors(test::data("augment/pillow.safetensors"));
  std::map<std::string, int> cases;
  for (const auto& [name, expected] : file) {
    std::istringstream words(name);
    std::string picture, operation;
    words >> picture;
    if (words.eof()) continue;
    words >> operation;
    INFO(name);
    words.seekg(static_cast<std::streamoff>(picture.size()));
    const at::Tensor result = perform(file.at(picture).clone(), words);
    CHECK(test::max_difference(result, expected) == 0.0);
    ++cases[operation];
  }
  CHECK(cases.size() == 11);
  CHECK(cases["transform"] == 36);
}
