// Commands with a model that takes pictures of any aspect (tests/data/encoders, SigLIP 2's NaFlex).
#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <base/text.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;
using test::vitome;

namespace {

std::string model() { return test::data("encoders/hf_siglip2_naflex_cls").string(); }
std::string golden() {
  return test::data("encoders/hf_siglip2_naflex_cls/io.safetensors").string();
}
std::string pictures() { return test::data("media/processors").string(); }
std::string picture(const std::string& name) { return pictures() + "/" + name + ".png"; }

}  // namespace

TEST_CASE("forward takes the padded batches of SigLIP 2's processor, and pictures as they are") {
  const test::TempDir temp;
  const auto out = (temp / "out.safetensors").string();
  const auto io = vit::read_safetensors(golden());
  const auto run = vitome({"forward", "--model", model(), "--input", golden(), "--input-key",
                           "padded/pixel_values", "--output", out});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  auto written = vit::read_safetensors(out);
  CHECK(test::max_difference(written.at("logits"), io.at("padded/logits")) < 1e-4);
  CHECK(written.at("size").sum(1).equal(at::tensor({28.0f, 24.0f})));

  const auto file = (temp / "in.safetensors").string();
  vit::write_safetensors(file, {{"pixel_values", io.at("padded/pixel_values")},
                                {"spatial_shapes", io.at("padded/spatial_shapes")},
                                {"wide", io.at("padded/input.0")},
                                {"odd", at::zeros({1, 3, 32, 57})}});
  REQUIRE(vitome({"forward", "--model", model(), "--input", file, "--output", out}).status == 0);
  written = vit::read_safetensors(out);
  CHECK(test::max_difference(written.at("logits"), io.at("padded/logits")) < 1e-4);

  const auto alone = [&](const std::string& key) {
    return vitome(
        {"forward", "--model", model(), "--input", file, "--input-key", key, "--output", out});
  };
  REQUIRE(alone("wide").status == 0);
  written = vit::read_safetensors(out);
  CHECK(test::max_difference(written.at("logits")[0], io.at("padded/logits")[0]) < 1e-4);
  CHECK_THAT(alone("odd").err, ContainsSubstring("W of 8"));

  vit::write_safetensors(file, {{"pixel_values", io.at("padded/pixel_values")},
                                {"spatial_shapes", at::full({2, 2}, 7, at::kLong)}});
  const auto refused = vitome({"forward", "--model", model(), "--input", file, "--output", out});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring("in.safetensors: spatial_shapes: 7 x 7"));

  REQUIRE(vitome({"forward", "--model", model(), "--input", picture("strip"), "--max-patches", "60",
                  "--output", out})
              .status == 0);
  written = vit::read_safetensors(out);
  CHECK(written.at("input").sizes() == at::IntArrayRef({1, 3, 24, 160}));
  CHECK(written.at("size").size(1) == 60);
}

TEST_CASE("classify and eval give a picture the same answer alone and among others") {
  const test::TempDir temp;
  const std::string r = GENERATE("0", "3");
  const auto classified = [&](const std::string& batch) {
    const auto run = vitome({"classify", pictures(), "--model", model(), "--max-patches", "48",
                             "--r", r, "--top", "10", "--batch", batch, "--json", "-"});
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    return test::json_lines(run.out);
  };
  const auto together = classified("8"), alone = classified("1");
  REQUIRE(together.size() == 5);
  for (std::size_t i = 0; i < together.size(); ++i) {
    CHECK(together[i].at("file") == alone[i].at("file"));
    const auto &a = together[i].at("predictions"), &b = alone[i].at("predictions");
    REQUIRE(a.size() == 10);
    for (std::size_t k = 0; k < a.size(); ++k) {
      CHECK(a[k].at("index") == b[k].at("index"));
      CHECK(std::abs(a[k].at("score").get<double>() - b[k].at("score").get<double>()) < 1e-5);
    }
  }

  std::ofstream list(temp / "list.csv");
  list << "file,label\n";
  for (std::size_t i = 0; i < alone.size(); ++i)
    list << alone[i].at("file").get<std::string>() << "," << i % 2 << "\n";
  list.close();
  const auto predicted = [&](const std::string& batch) {
    const auto run =
        vitome({"eval", (temp / "list.csv").string(), "--model", model(), "--max-patches", "48",
                "--r", r, "--batch", batch, "--predictions", "-"});
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    std::vector<std::vector<std::string>> lines;
    for (const auto& line : base::split(run.out, '\n')) lines.push_back(base::split(line, ','));
    return lines;
  };
  const auto mixed = predicted("8"), single = predicted("1");
  REQUIRE(mixed.size() == single.size());
  REQUIRE(mixed.size() >= 6);
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t k = 0; k < mixed[i].size(); ++k) {
      const bool confidence = i > 0 && k > 2 && k % 2 == 1;
      if (confidence)
        CHECK(std::abs(std::stod(mixed[i][k]) - std::stod(single[i][k])) < 1e-5);
      else
        CHECK(mixed[i][k] == single[i][k]);
    }
}

TEST_CASE("bench times pictures of different sizes") {
  const auto run = vitome({"bench", "--model", model(), "--images", pictures(), "--max-patches",
                           "20", "--batch", "4", "--r", "2", "--seconds", "0.01", "--json", "-"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(nlohmann::json::parse(run.out).at("results").size() == 2);
  const auto training = vitome(
      {"bench", "--model", model(), "--images", pictures(), "--training", "--seconds", "0.01"});
  CHECK(training.status == 1);
  CHECK_THAT(training.err, ContainsSubstring("--image-size"));
}

TEST_CASE("inspect says that a model takes any size, and up to how many patches") {
  const auto run = vitome({"inspect", "--model", model(), "--max-patches", "1024"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, ContainsSubstring("any size, up to 1024 patches"));
  CHECK_THAT(run.out, ContainsSubstring("1024 at 256x256 pixels"));
  const auto fixed = vitome({"inspect", "--model", model(), "--image-size", "48x56"});
  CHECK_THAT(fixed.out, ContainsSubstring("48x56 pixels (or any size)"));
}

TEST_CASE("a number of patches is for models that take any size") {
  const auto run = vitome({"classify", picture("wide"), "--max-patches", "64"});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("not of any size"));
  CHECK_THAT(run.err, ContainsSubstring("--max-patches"));
  const auto both = vitome(
      {"classify", picture("wide"), "--model", model(), "--max-patches", "4", "--image-size", "8"});
  CHECK(both.status == 2);
  CHECK_THAT(both.err, ContainsSubstring("exclude each other"));
  CHECK(vitome({"classify", picture("wide"), "--model", model(), "--max-patches", "0"}).status ==
        2);
}
