// Files that torch wrote (make_torch_files.py): old protocols, shards, TorchScript, and what
// training scripts put around a state dict. The weights are always the same.
#include "tests/support/catch.h"
#include "tests/support/check_same.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <fstream>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/heads.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/wrappers.h>

using Catch::ContainsSubstring;

namespace {

std::filesystem::path model_folder() { return test::data("hostile/config/timm_valid"); }

vit::StateDict expected_weights() {
  return vit::read_safetensors(model_folder() / "model.safetensors");
}

}  // namespace

TEST_CASE("every protocol, container, wrapper and prefix gives the same weights") {
  const std::string file =
      GENERATE(as<std::string>{}, "protocol_0.bin", "protocol_0_zip.pt", "protocol_1.bin",
               "protocol_1_zip.pt", "in_model_ema.pth", "in_state_dict_ema.pth", "in_teacher.pth",
               "in_model_state_dict.pth", "in_weights.pth", "in_model_state_dict_nested.pth",
               "in_both.pth", "in_both_model.pth", "ddp.pth", "compiled.pth", "backbone.pth",
               "ddp_compiled.pth", "averaged.pth", "averaged_in_model_ema.pth", "in_anything.pth",
               "in_list.pth", "backbone_and_classifier.pth", "lightning.ckpt", "script.pt",
               "traced.pt", "sharded/pytorch_model.bin.index.json");
  CAPTURE(file);
  const auto path = test::data("torch") / file;
  auto found = vit::find_model(vit::read_weights(path), "x");
  auto weights = vit::kAuthorsLayout.to_timm(found.weights, "x");
  vit::find_head(weights, found, {}, "x");
  found.beside.erase("n_averaged");
  CHECK(found.beside.empty());
  test::check_same(weights, expected_weights());

  // All the way to a model, with the config beside it.
  const test::TempDir folder;
  std::filesystem::copy_file(model_folder() / "config.json", folder / "config.json");
  const bool sharded = path.extension() == ".json";
  if (!sharded) std::filesystem::copy_file(path, folder / path.filename());
  const auto model = vit::load(sharded ? path.parent_path() : folder.path());
  const auto input = at::linspace(-1, 1, 3 * 8 * 8).view({1, 3, 8, 8});
  const at::NoGradGuard no_grad;
  CHECK(test::same(model->forward(input), vit::load(model_folder())->forward(input)));
}

TEST_CASE("DINO's training checkpoints: the teacher where there is one, without its head") {
  const std::string file = GENERATE(as<std::string>{}, "dino.pth", "dino_student.pth");
  CAPTURE(file);
  const test::TempDir folder;
  std::filesystem::copy_file(model_folder() / "config.json", folder / "config.json");
  std::filesystem::copy_file(test::data("torch") / file, folder / file);
  const auto model = vit::load(folder.path(), {.num_classes = 0});
  const auto expected = vit::load(model_folder(), {.num_classes = 0});
  const auto parameters = model->named_parameters();
  CHECK(parameters.size() == expected->named_parameters().size());
  for (const auto& parameter : expected->named_parameters()) {
    INFO(parameter.key());
    CHECK(test::same(parameters[parameter.key()], parameter.value()));
  }
}

TEST_CASE("of two models under names that nobody agreed on none is taken") {
  CHECK_THROWS_WITH(vit::read_weights(test::data("torch/in_two_dicts.pth")),
                    ContainsSubstring("in_two_dicts.pth: holds several Vision Transformers, in the "
                                      "dicts \"first\", \"second\"; save the one"));
}

TEST_CASE("views that torch marks as negative or conjugate have the values that they stand for") {
  const auto number = [](float real, float imaginary) {
    return at::complex(at::tensor(real), at::tensor(imaginary));
  };
  const auto plain = at::cat({number(1, 2), number(3, -4)});
  const vit::StateDict expected{{"neg", at::tensor({-2.0f, 4.0f})},
                                {"conj", at::cat({number(1, -2), number(3, 4)})}};
  test::check_same(vit::read_weights(test::data("torch/marks_legacy.pth")), expected);
  auto weights = vit::read_weights(test::data("torch/marks.pth"));
  CHECK(at::equal(weights.at("plain"), plain));
  weights.erase("plain");
  test::check_same(weights, expected);

  // Written again they are the same numbers, not those of their storages.
  const test::TempDir folder;
  const auto conjugate = plain.conj();
  vit::write_safetensors(folder / "x.safetensors",
                         {{"conj", conjugate}, {"neg", at::imag(conjugate)}});
  test::check_same(vit::read_safetensors(folder / "x.safetensors"), expected);
}

TEST_CASE("tensors of odd types do not keep the others from being read") {
  const std::string file = GENERATE(as<std::string>{}, "exotic.pth", "exotic_legacy.pth");
  auto weights = vit::read_weights(test::data("torch") / file);
  const std::pair<const char*, at::ScalarType> types[] = {
      {"float8_e8m0fnu", at::kFloat8_e8m0fnu},   {"bits8", at::kBits8},
      {"float8_e4m3fnuz", at::kFloat8_e4m3fnuz}, {"complex32", at::kComplexHalf},
      {"float8_e5m2fnuz", at::kFloat8_e5m2fnuz}, {"float4_e2m1fn_x2", at::kFloat4_e2m1fn_x2}};
  for (const auto& [name, type] : types) {
    CAPTURE(name);
    const auto tensor = weights.extract(std::string("extra.") + name);
    REQUIRE(!tensor.empty());
    CHECK(tensor.mapped().scalar_type() == type);
    CHECK(static_cast<const uint8_t*>(tensor.mapped().const_data_ptr())[3] == 3);
  }
  // Those that are more than a view of a storage are not there.
  test::check_same(weights, expected_weights());
}

TEST_CASE("protocol 0: names with escapes and numbers of any size") {
  const auto weights = vit::read_weights(test::data("torch/protocol_0_names.pth"));
  const auto expected = expected_weights();
  test::check_same(weights,
                   {{"näme \\ \n", expected.at("norm.bias")}, {"€𝄞", expected.at("norm.weight")}});
}

TEST_CASE("protocol 0: broken lines are refused") {
  const std::string good = [] {
    std::ifstream file(test::data("torch/protocol_0.bin"), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  const test::TempDir folder;
  const auto error_of = [&](const std::string& from, const std::string& to) {
    auto bytes = good;
    const auto position = bytes.find(from);
    REQUIRE(position != bytes.npos);
    std::ofstream(folder / "x.pth", std::ios::binary) << bytes.replace(position, from.size(), to);
    try {
      vit::read_weights(folder / "x.pth");
    } catch (const vit::Error& error) {
      return std::string(error.what());
    }
    return std::string("it is read");
  };
  CHECK_THAT(error_of("I1001", "I1002"), ContainsSubstring("unknown protocol version"));
  CHECK_THAT(error_of("I1001", "Iabcd"), ContainsSubstring("what should be a number is none"));
  CHECK_THAT(error_of("p1\n", "px\n"), ContainsSubstring("memo slot is no number"));
  CHECK_THAT(error_of("p1\n", "p99999999\n"),
             ContainsSubstring("the memo slot 99999999 cannot be"));
  CHECK_THAT(error_of("\ng3\n", "\ng999\n"), ContainsSubstring("that it has not described"));
  CHECK_THAT(error_of("Vcls_token", "Vcls\\u00g0"), ContainsSubstring("broken escape"));
  CHECK_THAT(error_of("Vcls_token", "S'cls_token"), ContainsSubstring("quotation marks"));
  CHECK_THAT(error_of("torch.FloatStorage", "os.system"), ContainsSubstring("os.system"));
  CHECK_THAT(error_of("'storage'", "'package'"), ContainsSubstring("no storage"));
  CHECK_THAT(error_of("torch.FloatStorage", "torch.DoubleStorage"),
             ContainsSubstring("elements, the pickle says"));
}

TEST_CASE("TorchScript programs that are more than modules are refused by name") {
  CHECK_THROWS_WITH(vit::read_weights(test::data("torch/script_quantized.pt")),
                    ContainsSubstring("script_quantized.pt") &&
                        ContainsSubstring("__torch__.torch.classes.quantized."));
  CHECK_THROWS_WITH(vit::read_weights(test::data("torch/whole_model.pt")),
                    ContainsSubstring("torch.nn.modules.linear.Linear") &&
                        ContainsSubstring("save model.state_dict() instead"));
}

TEST_CASE("shards of PyTorch files: only beside the index, and all of them") {
  const test::TempDir folder;
  const auto source = test::data("torch/sharded");
  std::filesystem::copy(
      source, folder.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(folder / "pytorch_model-00002-of-00002.bin");
  const auto index = folder / "pytorch_model.bin.index.json";
  CHECK_THROWS_WITH(vit::load(folder.path()),
                    ContainsSubstring("the shard \"pytorch_model-00002-of-00002.bin\" is missing"));
  const auto refuses = [&](const std::string& shard, const std::string& message) {
    std::ofstream(index) << nlohmann::json{{"weight_map", {{"a", shard}}}};
    CHECK_THROWS_WITH(vit::read_weights(index), ContainsSubstring(message));
  };
  refuses("../x.bin", "is not the name of a .bin file in the folder");
  refuses("x.safetensors", "is not the name of a .bin file");
  refuses(std::string("x\0.bin", 6), "is not the name of a .bin file");
  refuses(std::string(300, 'x') + ".bin", "is missing");
  refuses("pytorch_model-00001-of-00002.bin", "lists tensor \"a\"");
}
