#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <fstream>

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

namespace {

std::filesystem::path good_folder() { return test::data("hostile/config/timm_valid"); }

vit::StateDict good_weights() { return vit::read_safetensors(good_folder() / "model.safetensors"); }

/// A folder with the good config and these weights.
void write_folder(const std::filesystem::path& folder, const vit::StateDict& weights) {
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(good_folder() / "config.json", folder / "config.json");
  vit::write_safetensors(folder / "model.safetensors", weights);
}

at::Tensor input() { return at::linspace(-1, 1, 2 * 3 * 8 * 8).view({2, 3, 8, 8}); }

}  // namespace

TEST_CASE("weights of the wanted dtype are used in place, others converted") {
  test::TempDir folder;
  auto weights = good_weights();
  write_folder(folder / "m", weights);
  auto model = vit::load(folder / "m");
  CHECK(!model->is_training());
  const auto head = model->named_parameters()["head.weight"];
  CHECK_FALSE(head.requires_grad());  // until somebody trains it
  CHECK(test::same(head, weights.at("head.weight")));
  // Mapped tensors lie in the file in its order, one behind the other.
  const auto position = [&](const char* name) {
    return static_cast<const char*>(model->named_parameters()[name].const_data_ptr());
  };
  CHECK(position("head.weight") - position("head.bias") == 5 * 4);
  std::filesystem::remove_all(folder / "m");
  const auto logits = model->forward(input());

  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kBFloat16);
  write_folder(folder / "half", weights);
  const auto widened = vit::load(folder / "half");
  CHECK(widened->parameters()[0].scalar_type() == at::kFloat);
  CHECK(test::max_difference(widened->forward(input()), logits) < 0.05);
  const auto half = vit::load(folder / "half", {.precision = {at::kBFloat16}});
  CHECK(half->parameters()[0].scalar_type() == at::kBFloat16);
}

TEST_CASE("every tensor is accounted for") {
  test::TempDir folder;
  auto weights = good_weights();
  weights.erase("norm.weight");
  weights["surprise"] = at::ones({1});
  weights["head.bias"] = at::ones({5, 1});
  for (int i = 0; i < 20; ++i) weights["blocks.0.extra" + std::to_string(i)] = at::ones({1});
  write_folder(folder / "m", weights);
  CHECK_THROWS_WITH(
      vit::load(folder / "m"),
      ContainsSubstring("model.safetensors") && ContainsSubstring("missing (1): norm.weight") &&
          ContainsSubstring("unexpected (21): blocks.0.extra0, ") && ContainsSubstring(", …") &&
          ContainsSubstring("mis-shaped (1): head.bias is [5, 1], expected [5]"));
}

TEST_CASE("without strictness a head may be missing, but no shape may differ") {
  test::TempDir folder;
  auto weights = good_weights();
  weights.erase("head.weight");
  weights.erase("head.bias");
  weights["other"] = at::ones({1});
  write_folder(folder / "m", weights);
  CHECK_THROWS_WITH(vit::load(folder / "m"), ContainsSubstring("missing (2)"));
  const auto model = vit::load(folder / "m", {.strict = false});
  const auto parameters = model->named_parameters();
  CHECK(test::same(parameters["head.bias"], at::zeros({5})));
  CHECK(parameters["head.weight"].abs().max().item<float>() > 0);
  CHECK(test::same(parameters["cls_token"], weights.at("cls_token")));

  weights["norm.weight"] = at::ones({9});
  write_folder(folder / "n", weights);
  CHECK_THROWS_WITH(vit::load(folder / "n", {.strict = false}),
                    ContainsSubstring("mis-shaped (1)"));
}

TEST_CASE("the position table is resampled to another image size") {
  const auto model = vit::load(good_folder(), {.image_size = vit::Size2d{16, 12}});
  CHECK(model->config().image_size() == vit::Size2d{16, 12});
  CHECK(model->picture_preprocessing().input_size == vit::Size2d{16, 12});
  CHECK(model->named_parameters()["pos_embed"].size(1) == 1 + 4 * 3);
  CHECK(model->forward(at::zeros({1, 3, 16, 12})).size(1) == 5);
  CHECK_THROWS_WITH(vit::load(good_folder(), {.image_size = vit::Size2d{15, 12}}),
                    ContainsSubstring("do not divide"));
}

TEST_CASE("what may be a model") {
  test::TempDir folder;
  const auto weights = good_weights();
  CHECK_THROWS_WITH(vit::load(folder / "absent"), ContainsSubstring("no such file or folder"));
  CHECK_THROWS_WITH(vit::load(folder.path()), ContainsSubstring("looked for model.safetensors"));

  // The only weights file of a folder may have any name; a file uses the config beside it.
  write_folder(folder / "m", weights);
  std::filesystem::rename(folder / "m" / "model.safetensors", folder / "m" / "x.safetensors");
  CHECK(vit::load(folder / "m")->config().head.num_classes == 5);
  CHECK(vit::load(folder / "m" / "x.safetensors")->config().head.num_classes == 5);
  std::filesystem::copy_file(folder / "m" / "x.safetensors", folder / "m" / "y.safetensors");
  CHECK_THROWS_WITH(vit::load(folder / "m"),
                    ContainsSubstring("found several files of other names; name one of them: "
                                      "x.safetensors, y.safetensors"));

  std::ofstream(folder / "bad.json") << "[]";
  CHECK_THROWS_WITH(vit::load(folder / "bad.json"), ContainsSubstring("bad.json"));
}

TEST_CASE("the only weights file of a folder may have any name and lie among others") {
  const test::TempDir folder;
  const auto zip = test::data("torch/ddp.pth"), legacy = test::data("torch/protocol_1.bin");
  const auto put = [&](const std::filesystem::path& from, const char* to) {
    std::filesystem::copy_file(from, folder / to,
                               std::filesystem::copy_options::overwrite_existing);
  };
  put(good_folder() / "config.json", "config.json");
  std::ofstream(folder / "args.yaml") << "lr: 0.1\n";
  std::ofstream(folder / "summary.csv") << "epoch,loss\n";
  std::ofstream(folder / "notes.zip") << "PK, but no archive";
  std::filesystem::create_directory(folder / "weights.pth");
  put(legacy, "optimizer.pt");
  put(legacy, ".hidden.pth");
  CHECK_THROWS_WITH(vit::load(folder.path()),
                    ContainsSubstring("or another .safetensors, .pth, .pt, .bin, .ckpt, .pth.tar"));

  // By what it contains, whatever it is called.
  for (const auto& source : {zip, legacy, good_folder() / "model.safetensors"}) {
    put(source, "checkpoint-best");
    CHECK(vit::find_weights(folder.path()) == folder / "checkpoint-best");
    CHECK(vit::load(folder.path())->config().head.num_classes == 5);
  }
  put(zip, "other");
  CHECK_THROWS_WITH(vit::load(folder.path()), ContainsSubstring("them: checkpoint-best, other"));
  // Endings of weights count before contents.
  put(zip, "model_best.pth.tar");
  CHECK(vit::find_weights(folder.path()) == folder / "model_best.pth.tar");
  put(zip, "last.pth.tar");
  CHECK_THROWS_WITH(vit::load(folder.path()),
                    ContainsSubstring("last.pth.tar, model_best.pth.tar"));
  // An index names all its shards.
  put(test::data("torch/sharded/pytorch_model.bin.index.json"), "vit.bin.index.json");
  CHECK(vit::find_weights(folder.path()) == folder / "vit.bin.index.json");
}

TEST_CASE("weights of types that no model computes in are named") {
  for (const auto type : {at::kFloat4_e2m1fn_x2, at::kBits8}) {
    // Norms are looked at before the weights are matched with a model.
    const test::TempDir folder;
    std::filesystem::copy_file(good_folder() / "config.json", folder / "config.json");
    std::string header = R"({"blocks.0.norm1.weight":{"dtype":")";
    header += type == at::kBits8 ? R"(F6_E2M3","shape":[8],"data_offsets":[0,6]})"
                                 : R"(F4","shape":[16],"data_offsets":[0,8]})";
    int64_t position = type == at::kBits8 ? 6 : 8;
    std::string data(static_cast<size_t>(position), '\0');
    for (const auto& [name, tensor] : good_weights()) {
      if (name == "blocks.0.norm1.weight") continue;
      header += ',';
      header += nlohmann::json(name).dump() + R"(:{"dtype":"F32","shape":)" +
                nlohmann::json(tensor.sizes().vec()).dump() + R"(,"data_offsets":[)" +
                std::to_string(position) + ",";
      position += static_cast<int64_t>(tensor.nbytes());
      header += std::to_string(position) + "]}";
      data.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    }
    header += "}";
    const uint64_t length = header.size();
    std::ofstream file(folder / "model.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), sizeof(length));
    file << header << data;
    file.close();
    CHECK_THROWS_WITH(vit::load(folder.path()), ContainsSubstring("blocks.0.norm1.weight is "));
  }
}

TEST_CASE("a config that names other classes than the head has is told of") {
  const auto warnings = [&](const std::string& names, std::vector<std::string>& labels) {
    const test::TempDir folder;
    auto config = test::read_json(good_folder() / "config.json");
    config["label_names"] = nlohmann::json::parse(names);
    std::ofstream(folder / "config.json") << config;
    vit::write_safetensors(folder / "model.safetensors", good_weights());
    std::string text;
    const auto model = vit::load(
        folder.path(), {.on_warning = [&](const std::string& warning) { text += warning; }});
    labels = model->labels();
    return text;
  };
  std::vector<std::string> labels;
  CHECK(warnings(R"(["a", "b", "c", "d", "e"])", labels).empty());
  CHECK(labels.size() == 5);
  CHECK_THAT(warnings(R"(["a", "b", "c", "d"])", labels),
             ContainsSubstring("the config names 4 classes, but the head has 5: the names may be"));
  CHECK(labels.size() == 4);
  CHECK_THAT(warnings(R"({"0": "a", "4": "e"})", labels), ContainsSubstring("names 2 classes"));
  CHECK_THAT(warnings(R"(["a", "b", "c", "d", "e", "f"])", labels),
             ContainsSubstring("names 6 classes, but the head has 5"));
  CHECK(labels == std::vector<std::string>{"a", "b", "c", "d", "e"});
}

TEST_CASE("bare weights take their architecture from the user or from the shapes") {
  test::TempDir folder;
  const auto model = vit::create("test_vit2", {}, 7);
  vit::StateDict weights;
  for (const auto& parameter : model->named_parameters())
    weights[parameter.key()] = parameter.value();
  weights["mask_token"] = at::zeros({1, 64});  // left from training, of no use here
  weights["head.weight"] = weights["head.weight"].slice(0, 0, 10).clone();
  weights["head.bias"] = weights["head.bias"].slice(0, 0, 10).clone();
  vit::write_safetensors(folder / "x.safetensors", weights);

  const auto pixels = at::randn({1, 3, 160, 160});
  const auto expected = model->forward(pixels).slice(1, 0, 10);
  const auto given = vit::load(folder / "x.safetensors", {.architecture = "test_vit2"});
  CHECK(test::max_difference(given->forward(pixels), expected) < 1e-5);
  const auto inferred = vit::load(folder / "x.safetensors");
  CHECK(inferred->config().architecture == "test_vit2");
  CHECK(test::max_difference(inferred->forward(pixels), expected) < 1e-5);
  CHECK_THROWS_WITH(vit::load(folder / "x.safetensors", {.architecture = "vit_tiny_patch16_224"}),
                    ContainsSubstring("the config says depth 12, but the weights have 8"));
}

TEST_CASE("bare weights of images that are not square need to be told their size") {
  const test::TempDir folder;
  const auto file = folder / "x.safetensors";
  const auto model = vit::create("test_vit", {.image_size = vit::Size2d{32, 48}}, 3);
  vit::StateDict weights;
  for (const auto& parameter : model->named_parameters())
    weights[parameter.key()] = parameter.value();
  vit::write_safetensors(file, weights);

  const auto pixels = at::randn({1, 3, 32, 48});
  for (const std::string architecture : {"", "test_vit"}) {
    CAPTURE(architecture);
    CHECK_THROWS_WITH(
        vit::load(file, {.architecture = architecture}),
        ContainsSubstring(file.string() + ": 7 positions with 1 prefix tokens") &&
            ContainsSubstring(
                "by LoadOptions::image_size, perhaps 32x48 or 48x32, or by a config.json"));
    const auto told =
        vit::load(file, {.image_size = vit::Size2d{32, 48}, .architecture = architecture});
    CHECK(told->config().image_size() == vit::Size2d{32, 48});
    CHECK(test::max_difference(told->forward(pixels), model->forward(pixels)) < 1e-5);
  }
}

TEST_CASE("the tag in timm's config names the family of trained weights only") {
  const test::TempDir folder;
  const auto source = test::data("hostile/config/timm_valid");
  auto config = test::read_json(source / "config.json");
  config["pretrained_cfg"]["tag"] = "augreg2_in21k_ft_in1k";
  std::ofstream(folder / "config.json") << config;
  auto weights = vit::read_safetensors(source / "model.safetensors");
  vit::write_safetensors(folder / "model.safetensors", weights);
  CHECK(vit::load(folder.path())->config().family == "augreg");
  weights["blocks.0.norm1.weight"] = at::ones_like(weights["blocks.0.norm1.weight"]);
  vit::write_safetensors(folder / "model.safetensors", weights);
  CHECK(vit::load(folder.path())->config().family == "vit");
}

TEST_CASE("models with random weights are reproducible") {
  const auto a = vit::create("test_vit", {.image_size = vit::Size2d{32, 48}}, 3);
  const auto b = vit::create("test_vit", {.image_size = vit::Size2d{32, 48}}, 3);
  const auto pixels = at::ones({1, 3, 32, 48});
  CHECK(test::same(a->forward(pixels), b->forward(pixels)));
  CHECK(!a->is_training());
  const auto half = vit::create("test_vit", {.precision = {at::kBFloat16}});
  CHECK(half->parameters()[0].scalar_type() == at::kBFloat16);
}

TEST_CASE("what was assumed of a checkpoint is said once and kept") {
  std::vector<std::string> said;
  const auto load = [&](const std::filesystem::path& path) {
    said.clear();
    return vit::load(path, {.on_warning = [&](const std::string& text) { said.push_back(text); }});
  };
  CHECK(load(test::data("vit/timm_vit_cls"))->assumed().empty());
  CHECK(said.empty());

  const auto without_preprocessor = load(test::data("vit/hf_vit"));
  REQUIRE(without_preprocessor->assumed().size() == 1);
  CHECK_THAT(without_preprocessor->assumed()[0],
             ContainsSubstring("no preprocessor_config.json says how pictures are prepared"));
  CHECK(said.size() == 1);

  const test::TempDir folder;
  std::filesystem::copy(test::data("vit/timm_vit_cls/model.safetensors"),
                        folder / "bare.safetensors");
  const auto bare = load(folder / "bare.safetensors");
  REQUIRE(said.size() >= 1);
  CHECK(said.size() == bare->assumed().size());
  CHECK_THAT(said.back(),
             ContainsSubstring("bare.safetensors: ") && ContainsSubstring("as by timm"));
}
