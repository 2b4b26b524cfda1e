// The weights of one model in every container and precision that is read.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <fstream>

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/layouts/layout.h>

using Catch::ContainsSubstring;

TEST_CASE("one model gives the same logits from every format") {
  const auto folder = test::data("vit/formats");
  const auto input =
      vit::read_safetensors(test::data("vit/timm_vit_cls/io.safetensors")).at("input");
  const auto expected = vit::read_safetensors(folder / "io.safetensors");
  const auto cases = test::read_json(folder / "cases.json").at("files");
  CHECK(cases.size() == 7);
  for (const auto& entry : cases) {
    const std::string file = entry.at("file");
    INFO(file);
    const auto model = vit::load(folder / file);
    CHECK(test::max_difference(model->forward(input), expected.at(entry.at("logits"))) < 1e-4);
  }
}

TEST_CASE("the contents decide about the format, not the name") {
  test::TempDir folder;
  const auto formats = test::data("vit/formats");
  const auto expected = vit::read_safetensors(test::data("vit/timm_vit_cls/model.safetensors"));
  for (const char* name : {"zip.pth", "legacy.pth", "wrapped.pth"}) {
    INFO(name);
    const auto path = folder / (std::string(name) + ".ckpt");
    std::filesystem::copy_file(formats / name, path);
    const auto weights = vit::read_weights(path);
    REQUIRE(weights.size() == expected.size());
    for (const auto& [key, tensor] : expected) CHECK(test::same(weights.at(key), tensor));
  }
  std::filesystem::copy_file(test::data("vit/timm_vit_cls/model.safetensors"), folder / "x");
  CHECK(vit::read_weights(folder / "x").size() == expected.size());
  std::filesystem::copy_file(formats / "augreg.npz", folder / "y");
  CHECK(vit::kFlaxLayout.detect(vit::read_weights(folder / "y")));
}

TEST_CASE("stored storages of a checkpoint are mapped, not copied") {
  const auto path = test::data("vit/formats/zip.pth");
  const auto a = vit::read_weights(path).at("head.weight");
  const auto b = vit::read_weights(path).at("head.weight");
  a.fill_(1);  // of this mapping only
  CHECK(!test::same(a, b));
  CHECK(test::same(vit::read_weights(path).at("head.weight"), b));
}

TEST_CASE("Flax weights: missing, misshapen and unknown parts") {
  auto weights = vit::read_weights(test::data("vit/formats/augreg.npz"));
  const auto complete = vit::kFlaxLayout.to_timm(weights, "x.npz");
  CHECK(complete.at("blocks.3.attn.qkv.weight").sizes() == at::IntArrayRef({192, 64}));

  // As in big_vision's training states, with another numbering of the modules.
  vit::StateDict renamed;
  const std::vector<std::pair<std::string, std::string>> numbers{
      {"LayerNorm_2", "LayerNorm_1"},
      {"MultiHeadDotProductAttention_1", "MultiHeadDotProductAttention_0"},
      {"MlpBlock_3", "MlpBlock_0"}};
  for (const auto& [name, tensor] : weights) {
    std::string changed = "params/" + name;
    for (const auto& [from, to] : numbers)
      if (const auto position = changed.find(from); position != changed.npos)
        changed.replace(position, from.size(), to);
    renamed[changed] = tensor;
  }
  renamed["opt/step"] = at::ones({});
  const auto converted = vit::kFlaxLayout.to_timm(renamed, "x.npz");
  REQUIRE(converted.size() == complete.size());
  for (const auto& [name, tensor] : complete) CHECK(test::same(converted.at(name), tensor));

  weights["pre_logits/kernel"] = at::ones({2, 2});
  CHECK(vit::kFlaxLayout.to_timm(weights, "x.npz").contains("pre_logits/kernel"));
  weights["head/bias"] = at::ones({2, 2});
  CHECK_THROWS_WITH(vit::kFlaxLayout.to_timm(weights, "x.npz"),
                    ContainsSubstring("x.npz: tensor \"head/bias\" has shape [2, 2]"));
  weights.erase("head/bias");
  CHECK_THROWS_WITH(vit::kFlaxLayout.to_timm(weights, "x.npz"),
                    ContainsSubstring("x.npz: no tensor \"head/bias\""));
}

TEST_CASE("files that are no weights are recognised for what they are") {
  test::TempDir folder;
  const auto error_of = [&](const std::string& contents) {
    std::ofstream(folder / "x.pth") << contents;
    try {
      vit::read_weights(folder / "x.pth");
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(error_of(""), ContainsSubstring("empty"));
  CHECK_THAT(error_of("version https://git-lfs.github.com/spec/v1\n"),
             ContainsSubstring("git lfs"));
  CHECK_THAT(error_of("<!DOCTYPE html>"), ContainsSubstring("web page"));
  CHECK_THAT(error_of("\x93NUMPY"), ContainsSubstring("single NumPy array"));
  CHECK_THAT(error_of("hello"), ContainsSubstring("neither safetensors nor"));
}
