// tests/data/encoders: small random checkpoints of families with rotary or relative positions, RMS
// norms, gated MLPs and grouped queries as timm 1.0.31 and transformers 5.23 write them, and what
// these libraries compute with them.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/vit/golden_case.h"

#include <filesystem>
#include <string>

#include <ATen/ATen.h>

#include <vit/weights/files/safetensors.h>

TEST_CASE("today's encoders reproduce their libraries with and without merging") {
  const std::string name = GENERATE(
      as<std::string>{}, "timm_dinov3", "timm_dinov3_swiglu", "timm_sapiens2", "timm_eva02",
      "timm_eva02_subln", "timm_eva02_clip", "timm_pe_core", "timm_pe_lang", "timm_rope_axial",
      "timm_rope_mixed", "timm_rope_gap", "timm_beit", "timm_beitv2_shared", "timm_beit3",
      "timm_aimv2", "timm_radio", "timm_naflex_siglip", "hf_dinov3", "hf_dinov3_gated", "hf_beit",
      "hf_beit_shared", "hf_data2vec_vision", "hf_aimv2", "hf_aimv2_native", "hf_siglip2_naflex",
      "hf_siglip2_naflex_cls", "hf_mlcd", "hf_tipsv2", "hf_metaclip2", "hf_internvl");
  CAPTURE(name);
  const auto folder = test::data("encoders") / name;
  auto model = test::check_golden_case(folder);
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  if (!io.contains("other/input")) return;
  // Another image size: rotary positions are those of its own grid.
  at::NoGradGuard no_grad;
  const auto input = io.at("other/input");
  model->set_image_size({input.size(2), input.size(3)});
  const auto result = model->forward_all(input);
  CHECK(test::max_difference(result.features, io.at("other/features")) < test::kGoldenTolerance);
  CHECK(test::max_difference(result.logits, io.at("other/logits")) < test::kGoldenTolerance);
}
