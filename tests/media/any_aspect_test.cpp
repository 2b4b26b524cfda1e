// Pictures of any aspect in at most so many patches, as transformers 5.23 and timm 1.0.31 make them
// (make_any_aspect.py).
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <string>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/preprocess.h>
#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/mapped_file.h>

namespace {

using vit::Size2d;

constexpr int64_t kMost = 20;

vit::ModelConfig siglip2(const std::string& processor) {
  const auto config = vit::MappedFile::in_memory(
      "config.json",
      R"({"model_type": "siglip2_vision_model", "architectures": ["Siglip2VisionModel"],
          "hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 3,
          "num_hidden_layers": 2, "num_patches": 36, "patch_size": 8})");
  if (processor.empty()) return vit::read_config(*config, nullptr);
  const auto beside = vit::MappedFile::in_memory("preprocessor_config.json", processor);
  return vit::read_config(*config, beside.get());
}

vit::PicturePreprocessing naflex_of_timm() {
  vit::PicturePreprocessing how;
  how.max_patches = kMost;
  how.patch = {8, 8};
  how.mean = {0.485, 0.456, 0.406};
  how.std = {0.229, 0.224, 0.225};
  return how;
}

}  // namespace

TEST_CASE("Pictures become as large as so many patches allow, as the libraries have it") {
  const auto rows = test::read_json(test::data("media/any_aspect/sizes.json"));
  REQUIRE(rows.size() == 600);
  for (const auto& row : rows) {
    CAPTURE(row.dump());
    const int64_t patch = row[2], most = row[3];
    const Size2d size = media::size_of_patches({row[0], row[1]}, {patch, patch}, most);
    CHECK(size == Size2d{row[4], row[5]});
    CHECK(size.height / patch * (size.width / patch) <= most);
  }
}

TEST_CASE("Pictures of any aspect are prepared as the libraries do it") {
  const auto expected = vit::read_safetensors(test::data("media/any_aspect/pictures.safetensors"));
  const auto how = siglip2(R"({"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8,
                               "max_num_patches": 20, "resample": 2})")
                       .vit.picture_for_input();
  CHECK(how.max_patches == kMost);
  for (const std::string name : {"odd", "tall", "wide"}) {
    CAPTURE(name);
    const auto picture = media::read_image(test::data("media/processors/" + name + ".png"));
    const auto timm = media::preprocess(picture, naflex_of_timm());
    CHECK(test::max_difference(timm, expected.at("timm/" + name)) < 1e-6);
    // Its tensors of bytes are resized by LibTorch, which rounds otherwise than Pillow here and
    // there: by one level of 255, which is 2 / 255 after normalisation.
    const auto difference =
        (media::preprocess(picture, how) - expected.at("siglip2/" + name)).abs();
    CHECK(difference.max().item<double>() < 2.0 / 255 + 1e-6);
    CHECK(difference.gt(1e-5).to(at::kDouble).mean().item<double>() < 0.02);
  }
}

TEST_CASE("What a processor of whole patches says is read, or refused by name") {
  const auto otherwise = siglip2("").vit.picture_for_input();
  CHECK(otherwise.max_patches == 256);
  CHECK(otherwise.patch == Size2d{8, 8});
  CHECK(otherwise.interpolation == vit::Interpolation::bilinear);
  CHECK_THROWS_WITH(
      siglip2(R"({"image_processor_type": "Siglip2ImageProcessor"})"),
      Catch::ContainsSubstring("patches of 16x16 pixels, but the model's are of 8x8"));
  CHECK_THROWS_WITH(siglip2(R"({"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8,
                                "max_num_patches": 0})"),
                    Catch::ContainsSubstring("max_num_patches"));
  CHECK_THROWS_WITH(siglip2(R"({"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8,
                                "do_resize": false})"),
                    Catch::ContainsSubstring("do_resize"));
}

TEST_CASE("Pictures that no scale brings into so many patches are told") {
  CHECK_THROWS_WITH(media::size_of_patches({1, int64_t{1} << 30}, {1, 1}, 16),
                    Catch::ContainsSubstring("too long for 16 patches"));
  CHECK_THROWS_AS(media::size_of_patches({0, 5}, {8, 8}, 16), vit::Error);
  CHECK_THROWS_AS(media::size_of_patches({5, 5}, {8, 8}, 0), vit::Error);
  CHECK(media::size_of_patches({7, 5}, {8, 8}, 1) == Size2d{8, 8});
}
