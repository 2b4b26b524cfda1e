#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;
using test::vitome;

namespace {

constexpr double kTolerance = 1e-4;  // float32 against the reference library's float32

// --schedule of a setting in cases.json.
std::string schedule(const nlohmann::json& setting) {
  if (setting.at("r_kind") != "inflect") return setting.at("r").dump();
  return setting.at("r")[0].dump() + "," + setting.at("r")[1].dump();
}

std::string model() { return test::data("vit/timm_vit_cls").string(); }
std::string golden_input() { return test::data("vit/timm_vit_cls/io.safetensors").string(); }

}  // namespace

TEST_CASE("forward reproduces the reference for every schedule") {
  const std::string name = GENERATE("timm_vit_cls", "timm_vit_nonsquare", "timm_mae_gap");
  const auto folder = test::data("vit") / name;
  const test::TempDir temp;
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  const auto cases = test::read_json(folder / "cases.json");
  REQUIRE(cases.at("settings").size() > 1);
  for (const auto& setting : cases.at("settings")) {
    const std::string key = setting.at("name");
    CAPTURE(name, key);
    const auto out = temp / (key + ".safetensors");
    const auto run = vitome({"forward", "--model", folder.string(), "--input",
                             (folder / "io.safetensors").string(), "--output", out.string(),
                             "--schedule", schedule(setting), "--prop-attn",
                             setting.at("prop_attn").get<bool>() ? "on" : "off", "--trace"});
    REQUIRE(run.status == 0);
    CHECK(run.err.empty());
    CHECK_THAT(run.out, ContainsSubstring("logits [3, "));
    const auto written = vit::read_safetensors(out);
    CHECK(written.size() == 5);
    for (const auto& [tensor_name, tensor] : written) CHECK(tensor.scalar_type() == at::kFloat);
    CHECK(test::max_difference(written.at("logits"), io.at(key + "/logits")) < kTolerance);
    CHECK(test::max_difference(written.at("features"), io.at(key + "/features")) < kTolerance);
    CHECK(test::same(written.at("size"), io.at(key + "/size").squeeze(-1)));
    CHECK(test::same(written.at("source"), io.at(key + "/source")));
    CHECK(written.at("pooled").sizes() == at::IntArrayRef({3, written.at("features").size(2)}));
  }
}

TEST_CASE("forward reduces tokens in other ways") {
  const auto [spec, key] = GENERATE(table<std::string, std::string>({
      {"pitome:ratio=0.85,variant=ordered,margin=0.9", "pitome_ordered"},
      {"threshold:tau=0.8/0.75/0.7", "threshold"},
      {"threshold:tau=0.8/0.75/0.7,shared=on", "threshold_shared"},
  }));
  CAPTURE(spec);
  const auto folder = test::data("reducers/timm_cls");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  const test::TempDir temp;
  const auto out = temp / "out.safetensors";
  const auto run = vitome({"forward", "--model", folder.string(), "--input",
                           (folder / "io.safetensors").string(), "--output", out.string(),
                           "--reducer", spec, "--trace", "--positions"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto written = vit::read_safetensors(out);
  CHECK(test::max_difference(written.at("logits"), io.at(key + "/logits")) < 1e-4);
  CHECK(test::same(written.at("size"), io.at(key + "/size").squeeze(-1)));
  CHECK(test::same(written.at("source"), io.at(key + "/source")));
  CHECK(written.at("positions").sizes() == at::IntArrayRef({3, written.at("size").size(1), 2}));

  const auto refused = vitome({"forward", "--model", folder.string(), "--input", "x.safetensors",
                               "--output", out.string(), "--reducer", spec, "--r", "3"});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::ContainsSubstring("--schedule"));
}

TEST_CASE("forward computes in bfloat16 and writes float32") {
  const test::TempDir temp;
  const auto out = temp / "out.safetensors";
  REQUIRE(vitome({"forward", "--model", model(), "--input", golden_input(), "--output",
                  out.string(), "--dtype", "bf16", "--r", "8"})
              .status == 0);
  const auto written = vit::read_safetensors(out);
  const auto expected = vit::read_safetensors(golden_input()).at("r8/logits");
  CHECK(written.count("source") == 0);
  CHECK(written.at("logits").scalar_type() == at::kFloat);
  // Eight bits of mantissa over four blocks, and a merge or two that goes another way.
  const double difference = test::max_difference(written.at("logits"), expected);
  CHECK(difference > 0);
  CHECK(difference < 0.2);
}

TEST_CASE("forward takes other tensors, and other image sizes") {
  const test::TempDir temp;
  const auto folder = test::data("vit/resize_pos_embed");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  int sizes = 0;
  for (const auto& [key, tensor] : io) {
    if (!key.starts_with("input_")) continue;
    const std::string name = key.substr(6);
    ++sizes;
    CAPTURE(name);
    const auto out = temp / (name + ".safetensors");
    const std::string size = std::to_string(tensor.size(2)) + "x" + std::to_string(tensor.size(3));
    const auto run = vitome({"forward", "--model", folder.string(), "--input",
                             (folder / "io.safetensors").string(), "--input-key", key, "--output",
                             out.string(), "--image-size", size});
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    CHECK(test::max_difference(vit::read_safetensors(out).at("logits"), io.at("logits_" + name)) <
          kTolerance);
  }
  CHECK(sizes == 2);
}

TEST_CASE("forward with random weights gives the same for the same seed") {
  const test::TempDir temp;
  const auto logits = [&](const std::string& seed) {
    const auto out = temp / "out.safetensors";
    vit::write_safetensors(temp / "in.safetensors", {{"input", at::ones({1, 3, 224, 224})}});
    REQUIRE(vitome({"forward", "--arch", "vit_tiny_patch16_224", "--seed", seed, "--input",
                    (temp / "in.safetensors").string(), "--output", out.string()})
                .status == 0);
    return vit::read_safetensors(out).at("logits").clone();
  };
  const auto first = logits("1");
  CHECK(test::same(first, logits("1")));
  CHECK_FALSE(test::same(first, logits("2")));
}

TEST_CASE("forward says what is wrong with its input") {
  const test::TempDir temp;
  const auto file = (temp / "in.safetensors").string();
  vit::write_safetensors(file, {{"flat", at::ones({3, 64, 64})},
                                {"bytes", at::ones({1, 3, 64, 64}, at::kByte)},
                                {"large", at::ones({2, 3, 96, 64})},
                                {"none", at::ones({0, 3, 64, 64})}});
  const auto error = [&](const std::string& input, const std::string& key) {
    const auto run = vitome({"forward", "--model", model(), "--input", input, "--input-key", key,
                             "--output", (temp / "out.safetensors").string()});
    CHECK(run.status == 1);
    CHECK(run.out.empty());
    return run.err;
  };
  CHECK_THAT(error(file, "flat"), ContainsSubstring("[B, 3, 64, 64], got [3, 64, 64]"));
  CHECK_THAT(error(file, "large"), ContainsSubstring("[B, 3, 64, 64], got [2, 3, 96, 64]"));
  CHECK_THAT(error(file, "large"), ContainsSubstring("--image-size"));
  CHECK_THAT(error(file, "none"), ContainsSubstring("got [0, 3, 64, 64]"));
  CHECK_THAT(error(file, "bytes"), ContainsSubstring("expected floating point"));
  CHECK_THAT(error(file, "input"), ContainsSubstring("it holds bytes, flat, large, none"));
  CHECK_THAT(error((temp / "none.safetensors").string(), "input"),
             ContainsSubstring("none.safetensors"));
  CHECK_FALSE(std::filesystem::exists(temp / "out.safetensors"));
}
