#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <optional>
#include <string>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/preprocess.h>
#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/mapped_file.h>

namespace {

using Json = nlohmann::json;

/// What the reader and media make of one of make_processor_cases.py's cases.
at::Tensor prepare(const Json& one, const at::Tensor& picture) {
  const std::string config = one["config"].dump();
  const std::string text = one.contains("text") ? one["text"].dump() : "";
  const auto file = vit::MappedFile::in_memory("config.json", config);
  const auto beside = one.contains("file")
                          ? vit::MappedFile::in_memory(one["file"].get<std::string>(), text)
                          : nullptr;
  return media::preprocess(picture, vit::read_config(*file, beside.get()).vit.picture_for_input());
}

}  // namespace

TEST_CASE(
    "Pictures are prepared as the library of the checkpoint does it, whatever its files say") {
  const auto folder = test::data("media/processors");
  const Json document = test::read_json(folder / "cases.json");
  const auto expected = vit::read_safetensors(folder / "expected.safetensors");
  REQUIRE(document["cases"].size() > 250);
  for (const Json& one : document["cases"]) {
    CAPTURE(one.dump());
    const auto picture = media::read_image(folder / (one["picture"].get<std::string>() + ".png"));
    if (one.contains("error")) {
      CHECK_THROWS_AS(prepare(one, picture), vit::Error);
      continue;
    }
    at::Tensor input;
    CHECK_NOTHROW(input = prepare(one, picture));
    if (!input.defined()) continue;
    const at::Tensor& right = expected.at(one["input"].get<std::string>());
    if (one.contains("mean")) {
      CHECK(input.mean(at::kDouble).item<double>() ==
            Approx(one["mean"].get<double>()).margin(one.value("tolerance", 0.0) + 1e-6));
      CHECK(input.sizes().vec() == one["shape"].get<std::vector<int64_t>>());
      input = input.slice(1, 0, 12).slice(2, 0, 12);
    }
    REQUIRE(input.sizes() == right.sizes());
    CHECK(test::max_difference(input, right) <= one.value("tolerance", 0.0) + 1e-6);
  }
}
