#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/fused_runs.h"
#include "tests/vit/golden_case.h"

#include <string>

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/pos_embed.h>
#include <vit/weights/files/safetensors.h>

TEST_CASE("models reproduce the reference libraries with and without merging") {
  const std::string name =
      GENERATE(as<std::string>{}, "timm_vit_cls", "timm_vit_nonsquare", "timm_deit_distilled",
               "timm_mae_gap", "timm_dinov2_reg", "timm_dinov2_swiglu", "timm_clip_prenorm",
               "timm_qknorm", "timm_siglip_map", "hf_vit", "hf_deit_distilled", "hf_dinov2",
               "hf_clip_vision", "torchvision_vit", "hf_dinov2_registers", "hf_dinov2_swiglu",
               "hf_deit_plain", "hf_clip", "hf_siglip", "hf_siglip_vision", "timm_reg_map");
  CAPTURE(name);
  test::check_golden_case(test::data("vit") / name);
}

TEST_CASE("bfloat16 stays close to float32") {
  at::NoGradGuard no_grad;
  const auto folder = test::data("vit/timm_vit_cls");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  auto model = vit::load(folder, {.precision = {at::kBFloat16}});
  const test::FusedRuns runs;
  const auto logits = model->forward(io.at("input"));
  CHECK(runs.count() == (test::has_fused_blocks() ? 1 : 0));
  CHECK(logits.scalar_type() == at::kBFloat16);
  // Eight bits of mantissa through four blocks.
  CHECK(test::max_difference(logits, io.at("logits")) <
        0.05 * io.at("logits").abs().max().item<double>());
}

TEST_CASE("positions are resampled to other image sizes as timm does") {
  at::NoGradGuard no_grad;
  const auto folder = test::data("vit/resize_pos_embed");
  const auto cases = test::read_json(folder / "cases.json");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  for (const auto& size : cases.at("sizes")) {
    const std::string name = size.at("name");
    CAPTURE(name);
    const vit::Size2d image{size.at("height"), size.at("width")};
    auto loaded = vit::load(folder, {.image_size = image});
    CHECK(test::max_difference(loaded->named_parameters()["pos_embed"],
                               io.at("pos_embed_" + name)) < 1e-5);
    CHECK(test::max_difference(loaded->forward(io.at("input_" + name)), io.at("logits_" + name)) <
          test::kGoldenTolerance);

    auto resized = vit::load(folder);
    resized->set_image_size(image);
    CHECK(test::same(resized->named_parameters()["pos_embed"],
                     loaded->named_parameters()["pos_embed"]));
    CHECK(resized->picture_preprocessing().input_size == image);
  }
}
