#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <string>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/preprocess.h>
#include <vit/error.h>
#include <vit/weights/files/safetensors.h>

namespace {

vit::PicturePreprocessing read_config(const nlohmann::json& config) {
  vit::PicturePreprocessing how;
  how.input_size = config.contains("size") ? vit::Size2d{config["size"], config["size"]}
                                           : vit::Size2d{config["height"], config["width"]};
  how.crop_pct = config["crop_pct"];
  how.crop_mode = config["crop_mode"] == "squash" ? vit::CropMode::squash : vit::CropMode::center;
  how.interpolation = config["interpolation"] == "bilinear" ? vit::Interpolation::bilinear
                                                            : vit::Interpolation::bicubic;
  if (config.contains("mean")) {
    how.mean = config["mean"].get<std::vector<double>>();
    how.std = config["std"].get<std::vector<double>>();
  }
  return how;
}

struct Tolerance {
  double pixel, mean;
};

Tolerance tolerance(const std::string& kind) {
  if (kind == "lossless") return {1, 0.05};
  if (kind == "lossless16") return {2, 0.6};
  return {3, 0.5};  // JPEG and lossy WebP
}

}  // namespace

TEST_CASE("Pictures become a model's input as in timm") {
  const auto manifest = test::read_json(test::data("media/image/manifest.json"));
  const auto samples = vit::read_safetensors(test::data("media/image/samples.safetensors"));
  for (const auto& [name, entry] : manifest["files"].items()) {
    const at::Tensor rgb = media::read_image(test::data("media/image/" + name));
    const auto [pixel, mean] = tolerance(entry["class"]);
    for (const auto& [config, output] : entry["outputs"].items()) {
      INFO(name << " with " << config);
      const auto how = read_config(manifest["configs"][config]);
      const media::Framing framing = media::framing({rgb.size(0), rgb.size(1)}, how);
      CHECK(framing.resized.width == output["resized"][0].get<int64_t>());
      CHECK(framing.resized.height == output["resized"][1].get<int64_t>());

      if (output.contains("png")) {
        const at::Tensor expected =
            media::read_image(test::data("media/image/" + output["png"].get<std::string>()));
        const at::Tensor seen = media::resize_and_crop(rgb, how);
        CHECK(test::max_difference(seen, expected) <= pixel);
        CHECK((seen.to(at::kDouble) - expected.to(at::kDouble)).abs().mean().item<double>() <=
              mean);
        // With equal pixels before, the integer arithmetic leaves no difference behind.
        if (entry["class"] == "lossless") CHECK(test::same(seen, expected));
      }

      const at::Tensor input = media::preprocess(rgb, how);
      REQUIRE(input.scalar_type() == at::kFloat);
      REQUIRE(input.sizes() == at::IntArrayRef{3, how.input_size.height, how.input_size.width});
      const int64_t start = (how.input_size.height - 8) / 2;
      const at::Tensor part = input.slice(1, start, start + 8).slice(2, start, start + 8);
      for (int64_t c = 0; c < 3; ++c)
        CHECK(test::max_difference(part[c], samples.at(name + "/norm_crop." + config)[c]) <=
              1e-5 + pixel / (255 * how.std[static_cast<size_t>(c)]));
    }
  }
}

TEST_CASE("Sizes and crop offsets are timm's") {
  const auto cases = test::read_json(test::data("media/timm.json"));
  for (const auto& row : cases["framing"]) {
    vit::PicturePreprocessing how;
    how.input_size = {row[2], row[3]};
    how.crop_pct = row[4];
    how.crop_mode = row[5] == "squash" ? vit::CropMode::squash : vit::CropMode::center;
    INFO(row.dump());
    const media::Framing framing = media::framing({row[0], row[1]}, how);
    CHECK(framing.resized == vit::Size2d{row[6], row[7]});
    CHECK(framing.crop == media::Region{row[8], row[9], how.input_size});
  }
}

TEST_CASE("Inputs that are not square and crops beyond the picture are timm's") {
  const auto cases = test::read_json(test::data("media/timm.json"));
  const auto expected = vit::read_safetensors(test::data("media/timm.safetensors"));
  for (const auto& name : cases["files"]) {
    const at::Tensor rgb = media::read_image(test::data("media/image/" + name.get<std::string>()));
    for (const auto& config : cases["configs"]) {
      const std::string key = name.get<std::string>() + "/" + config["name"].get<std::string>();
      INFO(key);
      const at::Tensor seen = media::resize_and_crop(rgb, read_config(config));
      CHECK(test::same(seen, expected.at(key)));
    }
  }
}

TEST_CASE("Preprocessing checks its arguments") {
  vit::PicturePreprocessing how;
  const at::Tensor rgb = at::zeros({20, 30, 3}, at::kByte);
  CHECK_THROWS_AS(media::preprocess(at::zeros({20, 30, 3}), how), c10::Error);
  CHECK_THROWS_AS(media::preprocess(at::zeros({20, 30, 4}, at::kByte), how), c10::Error);
  CHECK_THROWS_AS(media::preprocess(at::zeros({0, 30, 3}, at::kByte), how), vit::Error);
  how.crop_pct = 0;
  CHECK_THROWS_AS(media::preprocess(rgb, how), vit::Error);
  how.crop_pct = 100;
  how.input_size = {1, 1};
  CHECK_THROWS_WITH(media::preprocess(rgb, how), Catch::ContainsSubstring("leaves no pixel"));
  how = {};
  how.mean = {0.5};
  CHECK_THROWS_AS(media::preprocess(rgb, how), vit::Error);
}

TEST_CASE("A picture one pixel wide and very long needs no more memory than its crop") {
  vit::PicturePreprocessing how;
  const at::Tensor line = at::randint(0, 256, {1, 1 << 20, 3}, at::kByte);
  for (const at::Tensor& rgb : {line, line.transpose(0, 1).contiguous()}) {
    CHECK(media::preprocess(rgb, how).sizes() == at::IntArrayRef{3, 224, 224});
    how.crop_mode = vit::CropMode::squash;
    CHECK(media::preprocess(rgb, how).sizes() == at::IntArrayRef{3, 224, 224});
    how.crop_mode = vit::CropMode::center;
  }
}

TEST_CASE("A model of one channel sees the luma of a picture") {
  const at::Tensor rgb = at::randint(0, 256, {17, 23, 3}, at::kByte);
  vit::PicturePreprocessing how{.input_size = {12, 14}, .mean = {0.4}, .std = {0.2}};
  const at::Tensor gray = media::to_gray(rgb);
  const at::Tensor wide = rgb.to(at::kDouble);
  const at::Tensor exact =
      wide.select(2, 0) * 0.299 + wide.select(2, 1) * 0.587 + wide.select(2, 2) * 0.114;
  CHECK(test::max_difference(gray.select(2, 0), exact) <= 0.51);
  const at::Tensor input = media::preprocess(rgb, how);
  REQUIRE(input.sizes() == at::IntArrayRef{1, 12, 14});
  // Resized as a gray picture, which is not the luma of the resized one.
  how.mean = how.std = {1, 1, 1};
  const at::Tensor repeated = media::resize_and_crop(gray.expand({17, 23, 3}).contiguous(), how);
  CHECK(test::max_difference(input[0], (repeated.select(2, 0) / 255.0 - 0.4) / 0.2) <= 1e-6);
  how.mean = how.std = {1, 1};
  CHECK_THROWS_WITH(media::preprocess(rgb, how), Catch::ContainsSubstring("takes 2 channels"));
}

TEST_CASE("Pictures that no size can be made of are refused, and say why") {
  vit::PicturePreprocessing how{
      .input_size = {8, 8}, .crop_mode = vit::CropMode::border, .crop_pct = 1};
  CHECK_THROWS_WITH(media::framing({1, 100000}, how), Catch::ContainsSubstring("too narrow"));
  how.crop_mode = vit::CropMode::center;
  CHECK(media::framing({1, 100000}, how).resized == vit::Size2d{8, 800000});
  how.input_size = {64, 64};
  how.crop_pct = 0.02;
  CHECK_THROWS_WITH(media::framing({1, 1000000}, how), Catch::ContainsSubstring("too narrow"));
  how = {.input_size = {8, 8}, .crop_mode = vit::CropMode::center, .crop = false};
  how.sizes = {{8, 8}, {8, 8}};
  CHECK_THROWS_WITH(media::framing({10, 20}, how),
                    Catch::ContainsSubstring("becomes one of 16 x 8, and the model takes 8 x 8"));
  CHECK(media::framing({20, 20}, how).crop == media::Region{0, 0, {8, 8}});
}
