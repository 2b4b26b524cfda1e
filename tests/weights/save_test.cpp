#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_config.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/pos_embed.h>
#include <vit/save.h>
#include <vit/weights/files/safetensors.h>

TEST_CASE("a saved model is the model that was saved") {
  const std::string name =
      GENERATE(as<std::string>{}, "timm_vit_cls", "timm_vit_nonsquare", "timm_deit_distilled",
               "timm_mae_gap", "timm_dinov2_reg", "timm_dinov2_swiglu", "timm_clip_prenorm",
               "timm_qknorm", "timm_siglip_map", "hf_vit", "hf_dinov2", "hf_dinov2_registers",
               "hf_dinov2_swiglu", "hf_deit_plain", "hf_clip", "hf_siglip", "torchvision_vit");
  CAPTURE(name);
  at::NoGradGuard no_grad;
  auto model = vit::load(test::data("vit") / name);
  const test::TempDir folder;
  vit::save(model, folder / "saved");
  auto saved = vit::load(folder / "saved");
  const auto input = vit::read_safetensors(test::data("vit") / name / "io.safetensors").at("input");
  CHECK(test::same(saved->forward(input), model->forward(input)));
  CHECK(saved->labels() == model->labels());
  CHECK(saved->picture_preprocessing().crop_pct == model->picture_preprocessing().crop_pct);
  CHECK(saved->picture_preprocessing().crop_mode == model->picture_preprocessing().crop_mode);
  CHECK(saved->picture_preprocessing().mean == model->picture_preprocessing().mean);
}

TEST_CASE("every checkpoint is saved as the model that it is") {
  at::NoGradGuard no_grad;
  size_t count = 0;
  for (const char* kind : {"vit", "families", "encoders", "transformers"})
    for (const auto& entry : std::filesystem::directory_iterator(test::data(kind))) {
      if (entry.path().filename() == "hf_vjepa2") continue;  // it takes clips
      if (!std::filesystem::exists(entry.path() / "model.safetensors")) continue;
      CAPTURE(entry.path());
      ++count;
      auto model = vit::load(entry.path());
      const test::TempDir folder;
      vit::save(model, folder.path());
      auto saved = vit::load(folder.path());
      auto config = saved->config();
      config.architecture = model->config().architecture;  // timm's name for it may be another
      CHECK(config == model->config());
      const auto before = model->named_parameters(), after = saved->named_parameters();
      REQUIRE(after.size() == before.size());
      for (const auto& parameter : before) {
        CAPTURE(parameter.key());
        CHECK(test::same(after[parameter.key()], parameter.value()));
      }
    }
  CHECK(count > 80);
}

TEST_CASE("a model is saved in the type that is asked for") {
  at::NoGradGuard no_grad;
  auto model = vit::load(test::data("vit/timm_vit_cls"));
  const test::TempDir folder;
  vit::save(model, folder.path(), at::kBFloat16);
  for (const auto& [name, tensor] : vit::read_safetensors(folder / "model.safetensors"))
    CHECK(tensor.scalar_type() == at::kBFloat16);
  auto saved = vit::load(folder.path());
  const auto bf16 = model->named_parameters()["head.weight"].to(at::kBFloat16);
  CHECK(test::same(saved->named_parameters()["head.weight"], bf16));
}

TEST_CASE("computed positions are saved as the table that they are") {
  at::NoGradGuard no_grad;
  auto config = test::tiny_config({16, 24});
  config.vit.positions.kind = vit::PositionKind::sincos_2d;
  vit::VisionTransformer model(config);
  model->init_weights(3);
  const test::TempDir folder;
  vit::save(model, folder.path());
  auto saved = vit::load(folder.path());
  const auto input = at::ones({1, 3, 16, 24});
  CHECK(test::same(saved->forward(input), model->forward(input)));
}

TEST_CASE("a folder that cannot be is an error") {
  auto model = vit::load(test::data("vit/timm_vit_cls"));
  const test::TempDir folder;
  std::ofstream(folder / "file") << "x";
  CHECK_THROWS_AS(vit::save(model, folder / "file" / "model"), vit::Error);
}

TEST_CASE("files are replaced whole, and nothing else is left in the folder") {
  auto model = vit::load(test::data("vit/timm_vit_cls"));
  const test::TempDir folder;
  const auto names = [&] {
    std::set<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      result.insert(entry.path().filename());
    return result;
  };
  vit::save(model, folder.path());
  vit::save(model, folder.path());
  CHECK(names() == std::set<std::string>{"config.json", "model.safetensors"});

  // A target that cannot be replaced is named with the reason, and the partial file goes away.
  std::filesystem::remove(folder / "config.json");
  std::filesystem::create_directories(folder / "config.json" / "full");
  CHECK_THROWS_WITH(vit::save(model, folder.path()),
                    Catch::ContainsSubstring("config.json: cannot replace: "));
  CHECK(names() == std::set<std::string>{"config.json", "model.safetensors"});
}
